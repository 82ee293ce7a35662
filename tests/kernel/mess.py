#!/usr/bin/env python3
"""A wire that does what wires do: mess.py DEVICE SEED LOSS DOUBLE DELAY.

Packets that are routed into the TUN device DEVICE come out of it again: LOSS and
DOUBLE of a hundred are lost or come twice, and each copy is late by up to DELAY
milliseconds, so that they overtake each other.  Until SIGTERM; the last line
tells what it did."""
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def main():
    device, seed, loss, double, delay = sys.argv[1], *map(int, sys.argv[2:])
    draw = random.Random(seed)
    ends = []
    signal.signal(signal.SIGTERM, lambda *_: ends.append(1))
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF,
                struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    print("ready", flush=True)
    queue, n, lost, doubled, overtook, newest = [], 0, 0, 0, 0, -1
    while not ends:
        now = time.monotonic()
        wait = min(0.2, max(0, queue[0][0] - now)) if queue else 0.2
        if select.select([fd], [], [], wait)[0]:
            try:
                packet = os.read(fd, 65536)
            except OSError:
                continue
            n += 1
            copies = 1
            if draw.randrange(100) < loss:
                lost += 1
                copies = 0
            elif draw.randrange(100) < double:
                doubled += 1
                copies = 2
            for _ in range(copies):
                late = draw.randrange(delay * 1000 + 1) / 1e6
                heapq.heappush(queue, (now + late, n, packet))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, number, packet = heapq.heappop(queue)
            overtook += number < newest
            newest = max(newest, number)
            try:
                os.write(fd, packet)
            except OSError:
                pass
    print(f"packets={n} lost={lost} doubled={doubled} overtaken={overtook}")


main()
