#!/usr/bin/env python3
"""A second implementation of docs/PROTOCOL.md, to make fdp1_session.json.

Written from the text alone, over hashlib, hmac and libsodium's group
operations and Ed25519; shares nothing with lib/.
Usage: fdp1_session.py > fdp1_session.json
"""
import ctypes
import ctypes.util
import hashlib
import hmac
import ipaddress
import json
import struct
import sys

sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
assert sodium.sodium_init() >= 0

ORDER = 2**252 + 27742317777372353535851937790883648493


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def expand(prk, info, size=32):
    out = block = b""
    counter = 1
    while len(out) < size:
        block = mac(prk, block, info, bytes([counter]))
        out += block
        counter += 1
    return out[:size]


def lv(x):
    return struct.pack(">I", len(x)) + x


def p(x):
    length, n = b"", len(x)
    while n >= 128:
        length += bytes([n & 127 | 128])
        n >>= 7
    return length + bytes([n]) + x


def call(name, size, *args):
    out = ctypes.create_string_buffer(size)
    assert getattr(sodium, name)(out, *args) == 0, name
    return out.raw


def x25519(secret, public=None):
    if public is None:
        return call("crypto_scalarmult_base", 32, secret)
    return call("crypto_scalarmult", 32, secret, public)


def multiply(scalar, element):
    return call("crypto_scalarmult_ristretto255", 32, scalar, element)


def nonce(initiator, tcp, epoch, seq):
    first = (0x80 if initiator else 0) | (0x40 if tcp else 0)
    return bytes([first]) + bytes(11) + struct.pack(">IQ", epoch, seq)


def box(key, n, plain):
    return call("crypto_secretbox_easy", 16 + len(plain), plain,
                ctypes.c_ulonglong(len(plain)), n, key)


class Random:
    """SHA-256(seed || counter), each draw from a new block."""

    def __init__(self, seed):
        self.seed, self.counter = seed.encode(), 0

    def draw(self, size):
        out = b""
        while len(out) < size:
            out += sha256(self.seed, struct.pack(">I", self.counter))
            self.counter += 1
        return out[:size]

    def scalar(self):
        draw = int.from_bytes(self.draw(64), "little")
        return (draw % ORDER).to_bytes(32, "little")


def tlv(kind, value):
    return struct.pack(">HH", kind, len(value)) + value


def ip(text):
    a = ipaddress.ip_address(text)
    return bytes(10) + b"\xff\xff" + a.packed if a.version == 4 else a.packed


def identity(name, peer_id, incarnation, capabilities, port, mtu):
    return (tlv(0x8001, name.encode()) + tlv(0x8002, peer_id)
            + tlv(0x8003, struct.pack(">Q", incarnation))
            + tlv(4, struct.pack(">I", capabilities))
            + tlv(5, struct.pack(">H", port)) + tlv(6, struct.pack(">H", mtu)))


def key_pair(seed):
    public, secret = (ctypes.create_string_buffer(n) for n in (32, 64))
    assert sodium.crypto_sign_seed_keypair(public, secret, seed) == 0
    return public.raw, secret.raw


def signed(identity, seed, role, th4):
    """The identity with key and signature, or as it is if there is no seed."""
    if not seed:
        return identity
    public, secret = key_pair(seed)
    identity += tlv(7, public)
    data = b"fdp1 identity" + bytes([role]) + th4 + identity
    signature = call("crypto_sign_detached", 64, None, data,
                     ctypes.c_ulonglong(len(data)), secret)
    return identity + tlv(8, signature)


def generator(prs, ci, sid):
    dsi = b"CPaceRistretto255"
    zeros = bytes(max(0, 128 - 1 - len(p(prs)) - len(p(dsi))))
    h = hashlib.sha512(p(dsi) + p(prs) + p(zeros) + p(ci) + p(sid)).digest()
    return call("crypto_core_ristretto255_from_hash", 32, h)


def handshake(slot_i, slots_r, identity_i, identity_r, seed_i, seed_r):
    """Both sides at once; returns frames, slot and S1."""
    ri, rr = Random("seed I"), Random("seed R")
    nonce_i, secret_i = ri.draw(32), ri.draw(32)
    m1 = (b"FDP1" + bytes([1, 1, 1, 0]) + struct.pack(">I", 1 << 1) + nonce_i
          + x25519(secret_i))

    secret_r, nonce_r = rr.draw(32), rr.draw(32)
    n = len(slots_r)
    head = (b"FDP1" + bytes([2, 1]) + struct.pack(">HB", 1, n) + nonce_r
            + x25519(secret_r))
    assert len(head) == 73
    sid = nonce_i + nonce_r
    y_i, y_r, ys_i, ys_r = [], [], [], []
    for j, (prs, _) in enumerate(slots_r):
        ci = b"fdp1\0" + struct.pack(">HB", 1, j)
        y_r.append(rr.scalar())
        ys_r.append(multiply(y_r[j], generator(prs, ci, sid)))
        y_i.append(ri.scalar())
        ys_i.append(multiply(y_i[j], generator(slot_i[0], ci, sid)))
    m2 = head + b"".join(ys_r)

    def masters(own, theirs, psks, dh):
        out = []
        for j in range(n):
            k = multiply(own[j], theirs[j])
            isk = hashlib.sha512(
                p(b"CPaceRistretto255_ISK") + p(sid) + p(k) + p(ys_i[j])
                + p(m1) + p(ys_r[j]) + p(head)).digest()
            out.append(mac(psks[j], isk + dh))
        return out

    master_i = masters(y_i, ys_r, [slot_i[1]] * n,
                       x25519(secret_i, x25519(secret_r)))
    master_r = masters(y_r, ys_i, [psk for _, psk in slots_r],
                       x25519(secret_r, x25519(secret_i)))
    th3 = sha256(b"fdp1 th3", lv(m1), lv(m2), lv(b"".join(ys_i)))

    def proofs(m):
        return [mac(expand(m[j], b"fdp1 confirm i"), th3, bytes([j]))
                for j in range(n)]

    t_i = proofs(master_i)
    m3 = bytes([3]) + b"".join(ys_i) + b"".join(t_i)

    want = proofs(master_r)
    s = min(j for j in range(n) if want[j] == t_i[j])
    master = master_r[s]
    assert master == master_i[s]
    th4 = sha256(b"fdp1 th4", th3, *t_i, bytes([s]))
    s0 = expand(master, b"fdp1 session" + th4)
    identity_i = signed(identity_i, seed_i, 0, th4)
    identity_r = signed(identity_r, seed_r, 1, th4)
    m4 = (bytes([4, s]) + mac(expand(master, b"fdp1 confirm r"), th4)
          + box(expand(s0, b"fdp1 tcp r2i"), nonce(False, True, 0, 0),
                identity_r))
    m5 = box(expand(s0, b"fdp1 tcp i2r"), nonce(True, True, 0, 0), identity_i)
    s1 = expand(s0, b"fdp1 bound"
                + sha256(b"fdp1 th5", th4, lv(identity_r), lv(identity_i)))
    return [m1, m2, m3, m4, m5], s, s1


def plain_handshake(identity_i, identity_r):
    m1 = b"FDP0" + bytes([1, 1, 1, 0]) + Random("seed I").draw(32) + identity_i
    m2 = b"FDP0" + bytes([2, 1]) + Random("seed R").draw(32) + identity_r
    return [m1, m2]


def text(s):
    return bytes([len(s)]) + s.encode()


def key(vni, mac_last):
    return struct.pack(">I", vni) + bytes([2, 0, 0, 0, 0, mac_last])


def binding(vni, n, n_ips):
    ips = b"".join(ip("10.0.%d.%d" % (n, i)) for i in range(n_ips))
    return key(vni, n) + bytes([n_ips]) + ips


def listed(items):
    return struct.pack(">H", len(items)) + b"".join(items)


def messages():
    b = [binding(0, 1, 0), binding(77, 2, 2), binding(0xffffff, 3, 16)]
    k = [key(0, 1), key(0xffffff, 3)]
    out = [
        ("ping", 1, struct.pack(">Q", 0x0102030405060708)),
        ("pong", 2, struct.pack(">Q", 2**64 - 1)),
        ("close", 3, text("limit") + text("too many peers")),
        ("record", 0x8010,
         b"\xab" * 16 + struct.pack(">QQHB", 5, 6, 0x0708, 1)
         + text("host-1.example")
         + listed([ip("192.0.2.1"), ip("2001:db8::7")]) + listed(b)),
        ("update", 0x8011,
         b"\xcd" * 16 + struct.pack(">QQ", 9, 10) + listed(b[:2]) + listed(k)),
        ("sa-offer", 0x8020,
         struct.pack(">I", 0xc0ffee01) + b"\x5a" * 32 + struct.pack(">I", 3)
         + ip("192.0.2.1") + ip("192.0.2.2") + struct.pack(">HI", 6784, 1500)),
        ("sa-active", 0x8021, struct.pack(">II", 256, 3)),
        ("sa-delete", 0x8022, struct.pack(">I", 0xffffffff)),
        ("rekey-request", 0x8023, struct.pack(">I", 0x01020304) + b"\x3c" * 32),
        ("rekey-response", 0x8024, struct.pack(">I", 2**32 - 1) + b"\xc3" * 32),
        ("rekey-ask", 0x0025, b""),
        ("rehandshake", 0x0026, b"\x01"),
        ("peers", 0x0012,
         struct.pack(">BH", 1, 6783) + listed([
             b"\x11" * 16 + ip("192.0.2.1") + struct.pack(">H", 6783),
             b"\x22" * 16 + ip("2001:db8::7") + struct.pack(">H", 7000)])
         + tlv(1, ip("2001:db8::7") + struct.pack(">H", 7000)
               + ip("192.0.2.1") + struct.pack(">H", 6783))),
    ]
    offer = out[5][2]
    out.append(("sa-offer", 0x8020,
                offer + tlv(1, struct.pack(">II", 0x100, 0xdeadbeef))))
    out += [
        ("probe-ack", 0x0030, struct.pack(">QHB", 0x1112131415161718, 1416, 15)),
        ("path-ask", 0x0031, struct.pack(">Q", 0x2122232425262728)),
        ("path-report", 0x0032, struct.pack(">Q", 1)),
    ]
    out += [
        ("statement", 0x0013,
         b"\xab" * 16 + b"\x17" * 32 + struct.pack(">QQB", 11, 12, 80)
         + struct.pack(">H", 5) + b"hello" + b"\x99" * 64),
        ("summary", 0x0014,
         struct.pack(">BB", 1, 1) + listed([
             b"\x11" * 16 + struct.pack(">QQB", 13, 14, 0),
             b"\x22" * 16 + struct.pack(">QQB", 2**64 - 1, 1, 80)])),
        ("path-state", 0x0033, b"\x04" + text("esp-filtered")),
        ("path-check", 0x0034,
         struct.pack(">IBII", 0x31323334, 2, 0x100, 0xdeadbeef)),
        ("path-checked", 0x0035,
         struct.pack(">IQBQQQQB", 0x31323334, 15, 1, 16, 17, 18, 2**64 - 1, 2)
         + struct.pack(">BQ", 1, 0x4142434445464748)
         + struct.pack(">BQ", 0, 0)),
        ("plain", 0x0027, b"\x01" + ip("192.0.2.1") + ip("192.0.2.2")),
        ("sleeve", 0x0028,
         struct.pack(">IIBHI", 0x51525354, 3, 2, 6783, 9000)),
        ("have", 0x0015, listed([
            b"\x11" * 16 + struct.pack(">QQB", 13, 14, 0),
            b"\x22" * 16 + struct.pack(">QQB", 2**64 - 1, 1, 80)])),
        ("want", 0x0016, listed([
            b"\x11" * 16 + struct.pack(">QQB", 13, 14, 0)])),
        ("links", 0x0017,
         struct.pack(">QQQB", 11, 15, 12, 80)
         + listed([struct.pack(">I", 0x61626364)])
         + listed([struct.pack(">I", 0x65666768), struct.pack(">I", 1)])
         + b"\x98" * 64),
        ("links", 0x0017,
         struct.pack(">QQQB", 11, 15, 0, 68)
         + listed([struct.pack(">I", 0x61626364)])
         + listed([struct.pack(">I", 0x65666768), struct.pack(">I", 1)])
         + b"\x98" * 64
         + tlv(0x8001, struct.pack(">QB", 0x6162636465666768, 4))),
        ("want", 0x0016, listed([
            b"\x11" * 16 + struct.pack(">QQB", 13, 14, 0)]) + tlv(1, b"")),
    ]
    return [(name, tlv(kind, body)) for name, kind, body in out]


def rekeys(s1):
    """Three steps of the ratchet."""
    rng = Random("rekey")
    out = []
    for epoch in (1, 2, 3):
        chain = expand(s1, b"fdp1 chain")
        e_i, e_r = rng.draw(32), rng.draw(32)
        pub_i, pub_r = x25519(e_i), x25519(e_r)
        prk = mac(chain, x25519(e_i, pub_r))
        s1 = expand(prk, b"fdp1 rekey" + struct.pack(">I", epoch) + pub_i + pub_r)
        out.append({"epoch": epoch, "request": pub_i.hex(),
                    "response": pub_r.hex(), "s1": s1.hex()})
    return out


def esp_key(s1, salt, direction, spi, src_id, dst_id, src, dst):
    info = (b"esp" + struct.pack(">BI", direction, spi) + src_id + dst_id
            + ip(src) + ip(dst))
    return expand(mac(salt, expand(s1, b"fdp1 esp")), info, 36)


def main():
    id_i, id_r = b"\xaa" * 16, b"\xbb" * 16
    identity_i = identity("alpha", id_i, 1, 5, 6784, 1500)
    identity_r = identity("beta.example", id_r, 2**63, 7, 7000, 9000)
    seed_i, seed_r = sha256(b"identity i"), sha256(b"identity r")
    a, b = [(sha256(b"prs", n), sha256(b"psk", n)) for n in (b"a", b"b")]
    out = {
        "source": "Made by fdp1_session.py, a second implementation of "
                  "docs/PROTOCOL.md. Hex. Random bytes: SHA-256(seed || "
                  "counter_be32), each draw from a new block; draws as in "
                  "docs/PROTOCOL.md, scalars are the draw reduced. Slot a is "
                  "PRS = SHA-256(\"prsa\"), PSK = SHA-256(\"pska\"), b alike. "
                  "The initiator signs with its key if \"signs\" has an i, "
                  "the responder if it has an r",
        "initiator": {"name": "alpha", "id": id_i.hex(), "incarnation": "1",
                      "capabilities": 5, "vxlan_port": 6784, "mtu": 1500,
                      "identity": identity_i.hex(), "seed": seed_i.hex(),
                      "key": key_pair(seed_i)[0].hex()},
        "responder": {"name": "beta.example", "id": id_r.hex(),
                      "incarnation": str(2**63), "capabilities": 7,
                      "vxlan_port": 7000, "mtu": 9000,
                      "identity": identity_r.hex(), "seed": seed_r.hex(),
                      "key": key_pair(seed_r)[0].hex()},
        "handshakes": [],
    }
    for slots, signs in (("a", "ir"), ("ab", "r"), ("ba", "i"), ("a", "")):
        chosen = [{"a": a, "b": b}[c] for c in slots]
        frames, s, s1 = handshake(a, chosen, identity_i, identity_r,
                                  "i" in signs and seed_i,
                                  "r" in signs and seed_r)
        out["handshakes"].append(
            {"dials": "a", "accepts": slots, "signs": signs,
             "frames": [f.hex() for f in frames], "slot": s, "s1": s1.hex()})
    out["plain"] = [f.hex() for f in plain_handshake(identity_i, identity_r)]

    s1 = bytes.fromhex(out["handshakes"][0]["s1"])
    out["messages"] = [{"type": n, "tlv": m.hex()} for n, m in messages()]
    out["rekeys"] = rekeys(s1)
    out["records"] = []
    seq = {True: 0, False: 0}
    for i, (_, m) in enumerate(messages() + [("empty", b"")]):
        by_i = i % 3 != 2
        label = b"fdp1 tcp i2r" if by_i else b"fdp1 tcp r2i"
        sealed = box(expand(s1, label), nonce(by_i, True, 0, seq[by_i]), m)
        seq[by_i] += 1
        out["records"].append(
            {"sender": "initiator" if by_i else "responder",
             "payload": m.hex(),
             "record": (struct.pack(">H", len(sealed)) + sealed).hex()})

    out["exports"] = [{"label": n, "key": expand(s1, n.encode()).hex()}
                      for n in ("fdp1 tcp i2r", "fdp1 tcp r2i", "fdp1 esp",
                                "fdp1 chain", "fdp1 export test")]
    out["sleeve"] = [{"epoch": e, "direction": d,
                      "key": expand(s1, b"fdp1 sleeve"
                                    + struct.pack(">IB", e, d)).hex()}
                     for e in (0, 1, 2**31 - 1) for d in (0, 1)]
    out["esp"] = []
    for direction, spi, src, dst in (
            (0, 0x100, "192.0.2.1", "192.0.2.2"),
            (1, 0x01020304, "192.0.2.2", "192.0.2.1"),
            (0, 0x7fffffff, "2001:db8::1", "2001:db8::2")):
        salt = sha256(b"salt", struct.pack(">I", spi))
        ids = (id_i, id_r) if direction == 0 else (id_r, id_i)
        out["esp"].append(
            {"salt": salt.hex(), "direction": direction, "spi": spi,
             "src_id": ids[0].hex(), "dst_id": ids[1].hex(), "src_ip": src,
             "dst_ip": dst,
             "keymat": esp_key(s1, salt, direction, spi, *ids, src,
                               dst).hex()})
    json.dump(out, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
