#!/usr/bin/env python3
"""What attackers and clocks do to ESP, for the scenarios beside this file.

  esp.py counters DST SPI NAME=VALUE...
      sets counters of one SA of this network namespace, as if it had been used:
      packets (which limits look at), oseq (last number sent), seq (highest
      number received; the window below it is empty).
  esp.py send PCAP HOST... [-- HOW...]
      puts the ESP frames of a recording on the wire again.  HOST is ADDRESS,
      DEVICE,MAC: what is sent out on DEVICE arrives at that host.  HOW is any of
        same       to the host that it was sent to
        src=ADDR   the same, as if from ADDR; src=others: from each HOST
        dst=others to each other HOST
        swap       back to the host that it came from, addresses exchanged
      ("same" if there is none), and from=N, n=N for some of the frames only.
      Prints how many each host was sent: ADDRESS N.
"""
import socket
import struct
import sys
import time

NETLINK_XFRM, NEWAE, REQUEST, ACK, REPLACE = 6, 0x1e, 1, 4, 0x100
LTIME_VAL, REPLAY_ESN_VAL = 9, 23
WINDOW = 1024


def attribute(kind, value):
    pad = -len(value) % 4
    return struct.pack('=HH', 4 + len(value), kind) + value + b'\0' * pad


def set_counters(dst, spi, values):
    """XFRM_MSG_NEWAE, linux/xfrm.h"""
    family = socket.AF_INET6 if ':' in dst else socket.AF_INET
    addr = socket.inet_pton(family, dst).ljust(16, b'\0')
    body = addr + struct.pack('>I', spi)
    body += struct.pack('=HBx', family, 50) + bytes(16) + struct.pack('=II', 0, 0)
    if 'packets' in values:
        now = int(time.time())
        body += attribute(LTIME_VAL, struct.pack('=QQQQ', 0, values['packets'],
                                                 now, now))
    if 'oseq' in values or 'seq' in values:
        oseq, seq = values.get('oseq', 0), values.get('seq', 0)
        body += attribute(REPLAY_ESN_VAL, struct.pack(
            '=IIIIII', WINDOW // 32, oseq & 0xffffffff, seq & 0xffffffff,
            oseq >> 32, seq >> 32, WINDOW) + bytes(WINDOW // 8))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as s:
        s.bind((0, 0))
        s.send(struct.pack('=IHHII', 16 + len(body), NEWAE,
                           REQUEST | ACK | REPLACE, 1, 0) + body)
        error, = struct.unpack_from('=i', s.recv(4096), 16)
    if error:
        sys.exit(f'counters of {dst} {spi:#x}: errno {-error}')


def frames(path):
    """The ESP over IPv4 in a recording; one that is still being written may
    end in the middle of a frame."""
    with open(path, 'rb') as f:
        data = f.read()
    if struct.unpack_from('<I', data)[0] != 0xa1b2c3d4:
        sys.exit(f'{path}: not a recording of this machine')
    at = 24
    while at + 16 <= len(data):
        size, = struct.unpack_from('<I', data, at + 8)
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        if (len(frame) == size > 42 and frame[12:15] == b'\x08\0\x45'
                and frame[23] == 50):
            yield frame


def readdressed(frame, src, dst, mac):
    header = bytearray(frame[14:34])
    header[10:12] = b'\0\0'
    header[12:16], header[16:20] = src, dst
    total = sum(struct.unpack('!10H', header))
    total = (total >> 16) + (total & 0xffff)
    header[10:12] = struct.pack('!H', ~(total + (total >> 16)) & 0xffff)
    return mac + frame[6:14] + bytes(header) + frame[34:]


def variants(frame, hosts, how):
    """(source, destination) of what is to be sent in its place."""
    src, dst = frame[26:30], frame[30:34]
    for what in how:
        if what == 'same':
            yield src, dst
        elif what == 'swap':
            yield dst, src
        elif what == 'src=others':
            yield from ((h, dst) for h in hosts if h not in (src, dst))
        elif what == 'dst=others':
            yield from ((src, h) for h in hosts if h not in (src, dst))
        elif what.startswith('src='):
            yield socket.inet_aton(what[4:]), dst
        else:
            sys.exit(f'what is {what}?')


def send(path, hosts, how):
    limit = {'from': 0, 'n': 1 << 30}
    for what in list(how):
        key, _, value = what.partition('=')
        if key in limit:
            limit[key] = int(value)
            how.remove(what)
    to = {}
    for host in hosts:
        address, dev, mac = host.split(',')
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((dev, 0))
        to[socket.inet_aton(address)] = (s, bytes.fromhex(mac.replace(':', '')))
    sent = dict.fromkeys(to, 0)
    selected = list(frames(path))[limit['from']:][:limit['n']]
    n = 0
    for frame in selected:
        for src, dst in variants(frame, to, how or ['same']):
            if dst not in to:
                continue
            s, mac = to[dst]
            s.send(readdressed(frame, src, dst, mac))
            sent[dst] += 1
            n += 1
            if n % 100 == 0:  # No queue is to overflow.
                time.sleep(0.005)
    for address, count in sent.items():
        print(socket.inet_ntoa(address), count)


def main(args):
    if args[:1] == ['counters'] and len(args) > 3:
        set_counters(args[1], int(args[2], 0), {
            k: int(v, 0) for k, v in (a.split('=') for a in args[3:])})
    elif args[:1] == ['send'] and len(args) > 2:
        split = args.index('--') if '--' in args else len(args)
        send(args[1], args[2:split], args[split + 1:])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
