#!/usr/bin/env python3
"""Sends the UDP payloads of a recording again: sleeve_again.py PCAP HOST PORT.

Each as it was, and once more with one bit of it turned, from the first bit of
the first one on, so that over all of them many positions come up."""
import socket
import struct
import sys


def payloads(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        ip = frame[14:]
        if ip and ip[0] >> 4 == 4 and ip[9] == 17:
            yield ip[(ip[0] & 15) * 4 + 8:]


def main():
    path, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    n = 0
    for payload in payloads(path):
        sock.sendto(payload, (host, port))
        for bit in range(n % 7, 8 * len(payload), 7):
            turned = bytearray(payload)
            turned[bit // 8] ^= 0x80 >> bit % 8
            sock.sendto(turned, (host, port))
        n += 1
    print(n, "datagrams")
    sys.exit(not n)


main()
