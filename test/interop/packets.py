"""Packets that no socket would send, and a look at what of them arrives.

`send DEVICE ADDRESS MAC` sends them from inside a job's namespace: ADDRESS is granted at udp/443, as is its neighbour over IPv6.
Each holds a mark, `good-` or `leak-` and what it is. `watch DEVICE SECONDS` prints the marks that come in by a device, and
`to ADDRESS` for each packet to the forged source.
"""

import re
import socket
import struct
import sys
import time

JOB, FAR, FORGED, HOST = "10.77.0.2", "203.0.200.9", "192.0.2.99", "10.77.0.1"
JOB6, GRANTED6, FAR6, FORGED6 = "fd00:77::2", "2001:db8:6::1", "2001:db8:6::9", "2001:db8:6::77"


def octets(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source, target, protocol, length):
    return octets(source) + octets(target) + struct.pack(">II", length, protocol)


def ip(source, target, protocol, data, options=b"", hops=64, fragment=0):
    if ":" in source:
        head = struct.pack(">IHBB", 6 << 28, len(data), protocol, hops)
        return head + octets(source) + octets(target) + data
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, 4 * words + len(data), 7, fragment, hops, protocol, 0)
    head += octets(source) + octets(target) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + data


def udp(source, target, port, mark, own=4000):
    data = struct.pack(">HHHH", own, port, 8 + len(mark), 0) + mark.encode()
    total = checksum(pseudo(source, target, 17, len(data)) + data)
    return data[:6] + struct.pack(">H", total) + data[8:]


def tcp(source, target, port, flags, mark="", own=4000):
    data = struct.pack(">HHIIBBHHH", own, port, 0x6C65616B, 0, 5 << 4, flags, 64000, 0, 0) + mark.encode()
    total = checksum(pseudo(source, target, 6, len(data)) + data)
    return data[:16] + struct.pack(">H", total) + data[18:]


def icmp(source, target, kind, data):
    head = bytes(kind) + b"\0\0\0\0\0\0" + data
    if ":" in source:
        total = checksum(pseudo(source, target, 58, len(head)) + head)
    else:
        total = checksum(head)
    return head[:2] + struct.pack(">H", total) + head[4:]


def question(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1").decode("latin1")


def packets(granted):
    def plain(source, target, mark, **more):
        return ip(source, target, 17, udp(source, target, 443, mark), **more)

    yield plain(JOB, granted, "good-udp")
    yield plain(JOB, granted, "good-record-route", options=bytes([7, 7, 4, 0, 0, 0, 0, 0]))
    yield plain(JOB6, GRANTED6, "good-six")
    for kind, name in ((60, "destination"), (0, "hop-by-hop")):
        mark = f"good-{name}-options"
        yield ip(JOB6, GRANTED6, kind, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(JOB6, GRANTED6, 443, mark))
    mark = "good-atomic-fragment"
    yield ip(JOB6, GRANTED6, 44, bytes([17, 0, 0, 0, 0, 0, 0, 9]) + udp(JOB6, GRANTED6, 443, mark))

    # Routes that the sender chooses: behind what was granted lies what was not.
    for kind in (131, 137):
        route = bytes([kind, 7, 4]) + octets(FAR) + b"\0"
        yield plain(JOB, granted, f"leak-route-{kind}", options=route)
        yield plain(JOB, HOST, f"leak-route-{kind}-by-host", options=route)
    for kind in (0, 2, 4):
        route = bytes([17, 2, kind, 1, 0, 0, 0, 0]) + octets(FAR6)
        yield ip(JOB6, GRANTED6, 43, route + udp(JOB6, GRANTED6, 443, f"leak-route-six-{kind}"))

    # Other protocols, and TCP that begins in other ways.
    for protocol in (4, 33, 41, 47, 50, 51, 132, 136, 253):
        mark = f"leak-protocol-{protocol}"
        yield ip(JOB, granted, protocol, udp(JOB, granted, 443, mark))
        yield ip(JOB6, GRANTED6, protocol, udp(JOB6, GRANTED6, 443, mark + "-six"))
    for flags in (0, 1, 2, 3, 4, 0x10, 0x12, 0x18, 0x29, 0x3F):
        yield ip(JOB, FAR, 6, tcp(JOB, FAR, 443, flags, f"leak-flags-{flags}"))
    yield ip(JOB, FAR, 17, b"leak-later-fragment-----", fragment=3)
    yield ip(JOB6, FAR6, 44, bytes([17, 0, 0, 16, 0, 0, 0, 7]) + b"leak-later-fragment-six-")
    yield ip(JOB6, FAR6, 44, bytes([17, 0, 0, 0, 0, 0, 0, 8]) + udp(JOB6, FAR6, 443, "leak-atomic-fragment"))
    mapped = f"::ffff:{granted}"
    yield ip(JOB6, mapped, 17, udp(JOB6, mapped, 443, "leak-mapped"))

    # Errors about what there never was, and about what there is, to somebody else.
    for there, mark in ((FAR, "leak-error"), (granted, "leak-error-elsewhere")):
        yield ip(JOB, FAR, 1, icmp(JOB, FAR, (3, 3), ip(there, JOB, 17, udp(there, JOB, 4000, mark))))
    yield ip(JOB, granted, 1, icmp(JOB, granted, (8, 0), b"leak-echo"))
    yield ip(JOB6, GRANTED6, 58, icmp(JOB6, GRANTED6, (128, 0), b"leak-echo-six"))
    for kind in (133, 134, 135, 136, 137):
        data = octets(FAR6) + b"leak-neighbour-%d" % kind
        yield ip(JOB6, FAR6, 58, icmp(JOB6, FAR6, (kind, 0), data), hops=255)

    # Source ports of those who answer, and of DHCP.
    for port, to in ((53, 443), (443, 443), (68, 67), (546, 547), (67, 68)):
        for source, far in ((JOB, FAR), (JOB6, FAR6)):
            yield ip(source, far, 17, udp(source, far, to, f"leak-source-port-{port}", port))
            yield ip(source, far, 6, tcp(source, far, to, 0x10, f"leak-source-port-tcp-{port}", port))

    # A forged source: whatever the machine answers goes there, with octets of the packet in it.
    for source, far, host in ((FORGED, FAR, HOST), (FORGED6, FAR6, "fd00:77::1")):
        yield plain(source, far, "leak-refused")
        yield ip(source, far, 6, tcp(source, far, 443, 2))
        yield plain(source, far, "leak-hops", hops=1)
        yield ip(source, host, 6, tcp(source, host, 53, 2))
        yield ip(source, host, 17, udp(source, host, 53, question("leak-question.example")))
        yield ip(source, host, 253, b"leak-protocol-of-host")
    yield plain(FORGED, "240.0.0.1", "leak-no-route")


def send(device, granted, mac):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((device, 0))
    link = bytes.fromhex(mac.replace(":", "")) + raw.getsockname()[4]
    for packet in packets(granted):
        raw.send(link + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet)
        time.sleep(0.005)


def watch(device, seconds):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    raw.bind((device, 0))
    print("watching", flush=True)
    end = time.monotonic() + float(seconds)
    seen = set()
    while (left := end - time.monotonic()) > 0:
        raw.settimeout(left)
        try:
            data, (_, _, kind, *_) = raw.recvfrom(65535)
        except TimeoutError:
            break
        if kind == socket.PACKET_OUTGOING:
            continue
        seen.update(found.decode() for found in re.findall(rb"(?:good|leak)-[a-z0-9-]*[a-z0-9]", data))
        for forged in (FORGED, FORGED6):
            if octets(forged) in (data[16:20], data[24:40]):
                seen.add(f"to {forged}")
    print("\n".join(sorted(seen)))


if __name__ == "__main__":
    {"send": send, "watch": watch}[sys.argv[1]](*sys.argv[2:])
