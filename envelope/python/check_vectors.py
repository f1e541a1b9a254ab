#!/usr/bin/env python3
"""Holds the second implementation, ward_formats.py, to the frozen vectors, and its object body to
the Cobblestone-256 of the package cryptography, which has one from version 50 on.

Run it from anywhere: python3 envelope/python/check_vectors.py
"""

import base64
import hashlib
import json
import os
import pathlib
import secrets
import struct

import ward_formats as formats


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
    key, nonce, expected = formats.derive(term_key, b"ward/record/v1\0" + head)
    assert commitment == expected
    return formats.decrypt(key, nonce, sealed, head)


def check_context(vector):
    encoded = bytes.fromhex(vector["encoded"])
    if vector["valid"]:
        assert formats.decode_context(encoded) == vector["context"]
        return
    try:
        formats.decode_context(encoded)
    except ValueError:
        return
    raise AssertionError(vector["comment"])


def check_blob(vector):
    blob, secret = bytes.fromhex(vector["blob"]), bytes.fromhex(vector["key_version_secret"])
    assert blob[4:20].hex() == vector["key_id"]
    assert struct.unpack(">I", blob[20:24])[0] == vector["key_version"]
    plain = formats.open_blob(secret, vector["purpose"], vector["context"], blob)
    assert plain.hex() == vector["plaintext"]


def check_record(vector):
    record, term_key = bytes.fromhex(vector["record"]), bytes.fromhex(vector["term_key"])
    assert open_record(term_key, record, vector["header"]).hex() == vector["plaintext"]


def check_object(vector):
    data_key, salt = bytes.fromhex(vector["data_key"]), bytes.fromhex(vector["salt"])
    plain = bytes(n % 251 for n in range(vector["plaintext_bytes"]))
    sealed = formats.seal_object(data_key, salt, bytes.fromhex(vector["prologue"]), plain)
    assert hashlib.sha256(sealed).hexdigest() == vector["object_sha256"]
    if vector["object"] is not None:
        assert sealed.hex() == vector["object"]
    assert formats.open_object(data_key, sealed)[1] == plain


def check_stream(vector):
    stream, secret = bytes.fromhex(vector["stream"]), bytes.fromhex(vector["key_version_secret"])
    assert stream[:5] == b"WSTR\x01"
    (length,) = struct.unpack_from(">H", stream, 5)
    data_key = formats.open_blob(secret, 1, vector["context"], stream[7 : 7 + length])
    context, plain = formats.open_object(data_key, stream[7 + length :])
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
    """The entries of a segment, header excluded: their bodies are as long as their kinds demand."""
    count = 0
    for entry in formats.entries(data):
        length, count = len(entry.body), count + 1
        if entry.kind == formats.FRAGMENT and entry.flags & formats.LAST:
            assert length >= 17 and entry.body[-1] in (0, 1)
        if entry.kind == formats.FLOW_CLOSED:
            assert length == 25 and entry.body[8] in (1, 2, 3)
        if entry.kind == formats.GAP:
            assert entry.body[0] in range(1, 6)
            assert struct.unpack_from(">H", entry.body, 53)[0] == length - 55
        if entry.kind == formats.MARK:
            assert length == 8 and entry.subject == bytes(16)
    end = sum(len(entry.body) + 28 for entry in formats.entries(data))
    assert end == len(data), "an entry does not parse"
    return count


def check_cobblestone():
    """Two implementations of Cobblestone-256 open what the other sealed."""
    try:
        from cryptography import cobblestone
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        return "skipped: Cobblestone-256 of cryptography (needs version 50)"
    for size in SIZES:
        key, context, plain = secrets.token_bytes(32), b"context", secrets.token_bytes(size)
        theirs = cobblestone.Cobblestone256Encryptor(key, context)
        sealed = theirs.update(plain) + theirs.finalize()
        assert formats.cobblestone_open(key, context, sealed) == plain
        ours = formats.cobblestone_seal(key, secrets.token_bytes(24), context, plain)
        opener = cobblestone.Cobblestone256Decryptor(key, context)
        assert opener.update(ours) + opener.finalize() == plain
    return f"Cobblestone-256 of cryptography: {len(SIZES)} sizes agree both ways"


SIZES = [0, 1, 16_383, 16_384, 16_385, 1_048_575, 1_048_576, 1_048_577]

CHECKS = {
    "context": check_context,
    "blob": check_blob,
    "record": check_record,
    "object": check_object,
    "stream": check_stream,
    "token": check_token,
}


def main():
    crate = pathlib.Path(__file__).parent.parent
    for name, check in CHECKS.items():
        vectors = json.loads((crate / "vectors" / f"{name}.json").read_text("utf-8"))["vectors"]
        for vector in vectors:
            check(vector)
        print(f"{name}: {len(vectors)} vectors agree")
    folder = crate / "src" / "segment"
    entries = bytes.fromhex((folder / "vector.hex").read_text("utf-8"))
    print(f"segment: {check_segment(entries)} entries agree")
    side_car = bytes.fromhex((folder / "side_car.hex").read_text("utf-8"))
    print(f"side-car: {len(formats.side_car(side_car))} keys agree")
    print(check_cobblestone())


if __name__ == "__main__":
    main()
