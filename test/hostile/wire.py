"""A cable between two network namespaces that loses and delays packets, where the kernel has no netem.

Arguments: the names of two TUN devices to make; the caller moves them to where they belong. Each line of standard input is
`LOSS DELAY`: the share of packets that is lost in either direction, and the milliseconds that each takes from the second
device to the first. Ends at the end of its input.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000


def device(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def main():
    ends = [device(name) for name in sys.argv[1:3]]
    loss, delay = 0.0, 0.0
    late = []
    count = 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while late and late[0][0] <= now:
            _, _, end, packet = heapq.heappop(late)
            send(end, packet)
        wait = max(0.0, late[0][0] - now) if late else None
        for fd in select.select([0, *ends], [], [], wait)[0]:
            if fd == 0:
                line = sys.stdin.readline()
                if line == "":
                    return
                loss, delay = (float(word) for word in line.split())
                continue
            try:
                packet = os.read(fd, 65536)
            except OSError:
                # A device that is being moved.
                time.sleep(0.001)
                continue
            if random.random() < loss:
                continue
            count += 1
            if fd == ends[1] and delay > 0:
                heapq.heappush(late, (time.monotonic() + delay / 1000, count, ends[0], packet))
            else:
                send(ends[1] if fd == ends[0] else ends[0], packet)


def send(end, packet):
    try:
        os.write(end, packet)
    except OSError:
        # The device is down, or its queue is full: as on any cable.
        pass


main()
