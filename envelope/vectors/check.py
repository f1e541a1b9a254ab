#!/usr/bin/env python3
"""A second implementation of Ward's formats, from docs/format.md alone, over the frozen vectors.

Needs python3-cryptography (any version with AESGCM) and nothing of Ward. Run it from anywhere:
python3 envelope/vectors/check.py
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 16 * 1024
TAG = 16
COBBLESTONE = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"


def derive(prk, info):
    """HKDF-Expand with SHA-512: key, base nonce, commitment."""
    okm, block = b"", b""
    for n in range(1, 3):
        block = hmac.new(prk, block + info + bytes([n]), hashlib.sha512).digest()
        okm += block
    return okm[:32], okm[32:44], okm[44:76]


def encode_context(pairs):
    """The canonical form of an encryption context."""
    out = struct.pack(">H", len(pairs))
    for key, value in sorted((k.encode(), v.encode()) for k, v in pairs.items()):
        out += struct.pack(">H", len(key)) + key + struct.pack(">H", len(value)) + value
    return out


def decode_context(data):
    """The pairs of a canonical encryption context; anything else is a ValueError."""

    def take(at, count):
        if at + count > len(data):
            raise ValueError("cut short")
        return data[at : at + count], at + count

    raw, at = take(0, 2)
    pairs = {}
    for _ in range(struct.unpack(">H", raw)[0]):
        texts = []
        for _ in range(2):
            raw, at = take(at, 2)
            raw, at = take(at, struct.unpack(">H", raw)[0])
            texts.append(raw.decode("utf-8"))
        pairs[texts[0]] = texts[1]
    if encode_context(pairs) != data or len(pairs) > 64 or len(data) > 16 * 1024:
        raise ValueError("not canonical")
    return pairs


def open_blob(secret, purpose, context, blob):
    """Opens a ciphertext blob."""
    header, commitment, sealed = blob[:56], blob[56:88], blob[88:]
    assert header[:4] == bytes([1, 1, purpose, 0])
    info = b"ward/blob/v1\0" + header + encode_context(context)
    key, nonce, expected = derive(secret, info)
    assert hmac.compare_digest(commitment, expected)
    return AESGCM(key).decrypt(nonce, sealed, header)


def open_record(term_key, record, header):
    """Opens a sealed record and checks every field of its header."""
    assert record[:6] == b"WKR1\x01\x01"
    fixed = struct.Struct(">BB16s16sIIQQQ")
    fields = fixed.unpack_from(record, 6)
    names = ["purpose", "key_type", "cluster_id", "key_id", "key_version", "term"]
    names += ["erase_epoch", "revision", "created_ms"]
    for name, field in zip(names, fields, strict=True):
        assert header[name] == (field.hex() if isinstance(field, bytes) else field), name
    at, texts = 6 + fixed.size, []
    for _ in range(3):
        (length,) = struct.unpack_from(">H", record, at)
        texts.append(record[at + 2 : at + 2 + length])
        at += 2 + length
    assert texts[0].decode() == header["tree"]
    assert texts[1].decode() == header["record_id"]
    assert texts[2].hex() == header["attributes"]
    head, commitment, sealed = record[: at + 32], record[at + 32 : at + 64], record[at + 64 :]
    key, nonce, expected = derive(term_key, b"ward/record/v1\0" + head)
    assert hmac.compare_digest(commitment, expected)
    return AESGCM(key).decrypt(nonce, sealed, head)


def parse_prologue(data):
    """The prologue's bytes, its data key's id and its context."""
    assert data[:8] == b"WARD\x01\x01\0\0"
    (length,) = struct.unpack_from(">I", data, 8)
    prologue = data[:length]
    context = decode_context(prologue[44:])
    assert context["ward:dk"] == prologue[28:44].hex()
    return prologue, context


def open_object(data_key, data):
    """Opens an object: its context and its plaintext."""
    prologue, context = parse_prologue(data)
    salt, commitment = data[len(prologue) :][:24], data[len(prologue) + 24 :][:32]
    body = data[len(prologue) + 56 :]
    key, base, expected = derive(data_key, COBBLESTONE + salt + prologue)
    assert hmac.compare_digest(commitment, expected)
    plain, number = b"", 0
    while True:
        chunk = body[number * (CHUNK + TAG) :][: CHUNK + TAG]
        nonce = (int.from_bytes(base, "big") ^ number).to_bytes(12, "big")
        plain += AESGCM(key).decrypt(nonce, chunk, None)
        if len(chunk) < CHUNK + TAG:
            return context, plain
        number += 1


def seal_object(data_key, salt, prologue, plain):
    """Seals an object as one implementation must do it: to the same bytes as every other."""
    key, base, commitment = derive(data_key, COBBLESTONE + salt + prologue)
    out = [prologue, salt, commitment]
    for number in range(len(plain) // CHUNK + 1):
        nonce = (int.from_bytes(base, "big") ^ number).to_bytes(12, "big")
        out.append(AESGCM(key).encrypt(nonce, plain[number * CHUNK :][:CHUNK], None))
    return b"".join(out)


def check_context(vector):
    encoded = bytes.fromhex(vector["encoded"])
    if vector["valid"]:
        assert decode_context(encoded) == vector["context"]
        return
    try:
        decode_context(encoded)
    except ValueError:
        return
    raise AssertionError(vector["comment"])


def check_blob(vector):
    blob, secret = bytes.fromhex(vector["blob"]), bytes.fromhex(vector["key_version_secret"])
    assert blob[4:20].hex() == vector["key_id"]
    assert struct.unpack(">I", blob[20:24])[0] == vector["key_version"]
    plain = open_blob(secret, vector["purpose"], vector["context"], blob)
    assert plain.hex() == vector["plaintext"]


def check_record(vector):
    record, term_key = bytes.fromhex(vector["record"]), bytes.fromhex(vector["term_key"])
    assert open_record(term_key, record, vector["header"]).hex() == vector["plaintext"]


def check_object(vector):
    data_key, salt = bytes.fromhex(vector["data_key"]), bytes.fromhex(vector["salt"])
    plain = bytes(n % 251 for n in range(vector["plaintext_bytes"]))
    sealed = seal_object(data_key, salt, bytes.fromhex(vector["prologue"]), plain)
    assert hashlib.sha256(sealed).hexdigest() == vector["object_sha256"]
    if vector["object"] is not None:
        assert sealed.hex() == vector["object"]
    assert open_object(data_key, sealed)[1] == plain


def check_stream(vector):
    stream, secret = bytes.fromhex(vector["stream"]), bytes.fromhex(vector["key_version_secret"])
    assert stream[:5] == b"WSTR\x01"
    (length,) = struct.unpack_from(">H", stream, 5)
    data_key = open_blob(secret, 1, vector["context"], stream[7 : 7 + length])
    context, plain = open_object(data_key, stream[7 + length :])
    assert vector["context"].items() <= context.items()
    assert plain.hex() == vector["plaintext"]


def check_token(vector):
    prefix, text = vector["token"].split(".")
    assert prefix == "wardj1"
    token = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    fields = struct.Struct(">BB16sQ32s32sH")
    version, role, cluster, expires, ca, secret, length = fields.unpack_from(token)
    assert (version, role, expires) == (1, vector["role"], vector["expires_ms"])
    assert cluster.hex() == vector["cluster_id"]
    assert (ca.hex(), secret.hex()) == (vector["ca_spki_sha256"], vector["secret"])
    assert token[fields.size :].decode() == vector["id"] and len(token) == fields.size + length


def check_segment(data):
    """Takes the entries of a segment apart, header excluded; answers how many there are."""
    at, count = 0, 0
    while at < len(data):
        kind, flags, zero, length = struct.unpack_from(">BBHI", data, at)
        assert 1 <= kind <= 5 and flags <= 3 and zero == 0 and length <= 327_697
        body, end = data[at + 24 : at + 24 + length], at + 24 + length
        assert struct.unpack_from(">I", data, end)[0] == zlib.crc32(data[at:end])
        if kind == 1 and flags & 2:
            assert length >= 17 and body[-1] in (0, 1)
        if kind == 3:
            assert length == 25 and body[8] in (1, 2, 3)
        if kind == 4:
            assert body[0] in range(1, 6)
            assert struct.unpack_from(">H", body, 53)[0] == length - 55
        if kind == 5:
            assert length == 8 and data[at + 8 : at + 24] == bytes(16)
        at, count = end + 4, count + 1
    return count


def check_side_car(data):
    """Takes a side-car apart; answers its keys."""
    assert data[:8] == b"WKEY\x01\0\0\0"
    assert struct.unpack(">I", data[-4:])[0] == zlib.crc32(data[:-4])
    at, keys = 28, {}
    for _ in range(struct.unpack_from(">I", data, 24)[0]):
        key_id, at = data[at : at + 16], at + 16
        parts = []
        for _ in range(2):
            (length,) = struct.unpack_from(">H", data, at)
            parts.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        assert decode_context(parts[1])["ward:dk"] == key_id.hex()
        keys[key_id] = parts[0]
    assert at == len(data) - 4
    return keys


CHECKS = {
    "context": check_context,
    "blob": check_blob,
    "record": check_record,
    "object": check_object,
    "stream": check_stream,
    "token": check_token,
}


def main():
    here = pathlib.Path(__file__).parent
    for name, check in CHECKS.items():
        vectors = json.loads((here / f"{name}.json").read_text("utf-8"))["vectors"]
        for vector in vectors:
            check(vector)
        print(f"{name}: {len(vectors)} vectors agree")
    folder = here.parent / "src" / "segment"
    entries = bytes.fromhex((folder / "vector.hex").read_text("utf-8"))
    print(f"segment: {check_segment(entries)} entries agree")
    side_car = bytes.fromhex((folder / "side_car.hex").read_text("utf-8"))
    print(f"side-car: {len(check_side_car(side_car))} keys agree")


if __name__ == "__main__":
    main()
