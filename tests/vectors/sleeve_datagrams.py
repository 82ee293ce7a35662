#!/usr/bin/env python3
"""A second implementation of docs/PROTOCOL.md, "Sleeve", to make
sleeve_datagrams.json.

Written from the text alone, over hmac, libsodium's secretbox and OpenSSL's
AES-GCM; shares nothing with lib/.
Usage: sleeve_datagrams.py > sleeve_datagrams.json
"""
import ctypes
import ctypes.util
import hashlib
import hmac
import json
import struct
import sys

sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
assert sodium.sodium_init() >= 0
crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p

NONE, XSALSA, GCM = 0, 1, 2
PARTIAL, FOLLOWS, PIECE, MORE = 1, 2, 4, 8


def sleeve_key(s1, epoch, direction):
    """HKDF-Expand with one block."""
    info = b"fdp1 sleeve" + struct.pack(">IB", epoch, direction)
    return hmac.new(s1, info + b"\x01", hashlib.sha256).digest()


def box(key, nonce, text):
    out = ctypes.create_string_buffer(len(text) + 16)
    sodium.crypto_secretbox_easy(out, text, ctypes.c_ulonglong(len(text)),
                                 nonce, key)
    return out.raw


def gcm(key, nonce, aad, text):
    ctx = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    out, tag = (ctypes.create_string_buffer(len(text) + 16) for _ in "12")
    n = ctypes.c_int()
    done = [
        crypto.EVP_EncryptInit_ex(
            ctx, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, key, nonce),
        crypto.EVP_EncryptUpdate(ctx, None, ctypes.byref(n), aad, len(aad)),
        crypto.EVP_EncryptUpdate(ctx, out, ctypes.byref(n), text, len(text)),
        crypto.EVP_EncryptFinal_ex(ctx, out, ctypes.byref(n)),
        crypto.EVP_CIPHER_CTX_ctrl(ctx, 0x10, 16, tag),
    ]
    crypto.EVP_CIPHER_CTX_free(ctx)
    assert done == [1] * 5
    return out.raw[:len(text)] + tag.raw[:16]


def seal(cipher, key, initiator, epoch, index, seq, text):
    header = struct.pack(">BBHIQ", 4, 0, 0, index, seq)
    if cipher == GCM:
        nonce = struct.pack(">IQ", initiator << 31 | epoch % 2**31, seq)
        return header + gcm(key, nonce, header, text)
    if cipher == XSALSA:
        nonce = struct.pack(">B3s8sIQ", 0x80 if initiator else 0, bytes(3),
                            header[:8], epoch, seq)
        sealed = box(key, nonce, text)
        return header + sealed[16:] + sealed[:16]
    return header + text + bytes(16)


def record(flags, body):
    return struct.pack(">BH", flags, len(body)) + body


def checksum(data):
    s = sum(struct.unpack(f">{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def tcp(number, ident, flags, payload):
    """A segment without its checksum."""
    head = struct.pack(">HHIIBBHHH", 1000, 2000, number, 7, 0x50, flags, 65535,
                       0, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), ident, 0x4000,
                     64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return (bytes.fromhex("020000000002020000000001" "0800") + ip + head +
            payload)


def inner(vni, ttl, *records):
    return struct.pack(">I", vni << 8 | ttl) + b"".join(records)


SMALL = bytes.fromhex("ffffffffffff0200000000010806") + bytes(range(28))
TEXTS = [
    ("keepalive", inner(0, 0)),
    ("two small frames", inner(0x123456, 0, record(0, SMALL), record(0, SMALL))),
    ("first segment", inner(1, 7, record(PARTIAL, tcp(100, 5, 0x10, b"a" * 32)))),
    ("second segment", inner(1, 7, record(PARTIAL | FOLLOWS,
                                          tcp(132, 6, 0x18, b"b" * 9)))),
    ("first piece", inner(2, 0, record(PIECE | MORE, SMALL[:20]))),
    ("last piece", inner(2, 0, record(PIECE | FOLLOWS, SMALL[20:]))),
]


def main():
    s1 = hashlib.sha256(b"a session secret").digest()
    cases = []
    for cipher in NONE, XSALSA, GCM:
        for initiator, epoch, seq in ((1, 0, 0), (0, 0x81020304, 2**40 + 7)):
            key = sleeve_key(s1, epoch, 1 - initiator)
            for i, (name, text) in enumerate(TEXTS):
                cases.append({
                    "name": name, "cipher": cipher, "initiator": initiator,
                    "epoch": epoch, "index": 0xcafe0000 + i, "seq": seq + i,
                    "key": key.hex(), "text": text.hex(),
                    "datagram": seal(cipher, key, initiator, epoch,
                                     0xcafe0000 + i, seq + i, text).hex(),
                })
    json.dump({"source": "sleeve_datagrams.py", "s1": s1.hex(),
               "cases": cases}, sys.stdout, indent=1)
    print()


main()
