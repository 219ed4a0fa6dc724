#!/usr/bin/env python3
"""Follows a grant feed on a unix socket, and prints what may be connected to: `follow.py SOCKET`.

An example of a consumer, written from docs/enforce.md alone. In place of `tell` stands what keeps clients to it.
"""

import ipaddress
import json
import socket
import sys
import time

live, told, grants = {}, set(), {}


def tell(sign, key):
    print(sign, *key, flush=True)


def forget(which):
    for key in [key for key in grants if which(ipaddress.ip_address(key[0]))]:
        del grants[key]
        tell("-", key)


def apply(line):
    """Puts one line in force."""
    op, client, now = line["op"], line.get("client"), time.monotonic()
    keys = [(client, line.get("address"), port) for port in line.get("ports", [])]
    if op == "live":
        live[client] = now + line["ttl_ms"] / 1000 if line["ttl_ms"] else None
        told.add(client)
    elif op == "grant":
        for key in keys:
            if grants.get(key, 0) < now:
                tell("+", key)
            grants[key] = max(grants.get(key, 0), now + line["ttl_ms"] / 1000)
    elif op == "revoke":
        for key in keys:
            if grants.pop(key, None) is not None:
                tell("-", key)
    elif op == "end":
        live.pop(client, None)
        network = ipaddress.ip_network(client)
        forget(lambda address: address in network and str(address) not in live)
    elif op == "snapshot":
        for client in set(live) - told:
            del live[client]
        networks = [ipaddress.ip_network(client) for client in live]
        forget(lambda address: not any(address in network for network in networks))


def main(path):
    feed = socket.socket(socket.AF_UNIX)
    feed.connect(path)
    feed.sendall(b'{"op":"hello","v":1}\n')
    for text in feed.makefile("rb"):
        line = json.loads(text)
        if line["op"] == "hello" and line["v"] != 1:
            sys.exit(f"the feed speaks version {line['v']}")
        elif line["op"] == "dropped":
            told.clear()
            feed.sendall(b'{"op":"hello","v":1}\n')
        elif line["op"] != "hello":
            apply(line)
            feed.sendall(b'{"op":"ack","seq":%d}\n' % line["seq"])
    sys.exit("namegate has gone")


if __name__ == "__main__":
    main(sys.argv[1])
