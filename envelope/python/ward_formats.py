#!/usr/bin/env python3
"""Ward's formats in a second language, written from docs/format.md alone: what Ward archived can be
read, and what it reads can be written, without Ward.

Needs Python 3.11 and the package cryptography (any version with AESGCM). Keys come from a file,
never from the command line, where other users of the machine could read them:

    ward_formats.py open-object   KEYS           < object > plaintext
    ward_formats.py seal-object   KEYS PROLOGUE  < plaintext > object  (PROLOGUE in hexadecimal)
    ward_formats.py open-stream   KEYS [K=V]...  < stream > plaintext
    ward_formats.py seal-stream   KEYS [K=V]...  < plaintext > stream
    ward_formats.py open-archive  KEYS DIR OUT   writes each object to OUT/OBJECT_ID and lists it

KEYS is a JSON file. `data_keys` maps the ids of data keys to the keys (objects, archive); a stream
needs `key_id`, `key_version` and `key_version_secret`. Everything but numbers is in hexadecimal.
"""

import dataclasses
import hashlib
import hmac
import json
import pathlib
import secrets
import struct
import sys
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 16 * 1024
TAG = 16
COBBLESTONE = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
WRAPPED_DATA_KEY, DATA = 1, 2


class OpenFailed(Exception):
    """A wrong key, a wrong context, tampering or truncation: nobody is told which."""


# What bytes that are not as the format says come to; a key that is not given is one of them.
REFUSED = (OpenFailed, ValueError, struct.error, KeyError)


def require(holds):
    """Refuses what is not as the format says."""
    if not holds:
        raise OpenFailed


def derive(prk, info):
    """HKDF-Expand with SHA-512: key, base nonce, commitment."""
    okm, block = b"", b""
    for n in range(1, 3):
        block = hmac.new(prk, block + info + bytes([n]), hashlib.sha512).digest()
        okm += block
    return okm[:32], okm[32:44], okm[44:76]


def decrypt(key, nonce, sealed, associated):
    """AES-256-GCM."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except InvalidTag as error:
        raise OpenFailed from error


# --- encryption context ---------------------------------------------------------------------------


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


# --- ciphertext blob ------------------------------------------------------------------------------


def seal_blob(secret, key_id, key_version, purpose, context, plain):
    """Seals a small secret under a key version."""
    header = bytes([1, 1, purpose, 0]) + key_id + struct.pack(">I", key_version)
    header += secrets.token_bytes(32)
    info = b"ward/blob/v1\0" + header + encode_context(context)
    key, nonce, commitment = derive(secret, info)
    return header + commitment + AESGCM(key).encrypt(nonce, plain, header)


def open_blob(secret, purpose, context, blob):
    """Opens a ciphertext blob."""
    header, commitment, sealed = blob[:56], blob[56:88], blob[88:]
    require(len(blob) >= 104 and header[:4] == bytes([1, 1, purpose, 0]))
    info = b"ward/blob/v1\0" + header + encode_context(context)
    key, nonce, expected = derive(secret, info)
    require(hmac.compare_digest(commitment, expected))
    return decrypt(key, nonce, sealed, header)


# --- object ---------------------------------------------------------------------------------------


def parse_prologue(data):
    """The prologue's bytes, its data key's id and its context."""
    require(len(data) >= 46 and data[:8] == b"WARD\x01\x01\0\0")
    (length,) = struct.unpack_from(">I", data, 8)
    require(46 <= length <= min(len(data), 16_428))
    prologue = data[:length]
    context = decode_context(prologue[44:])
    require(context.get("ward:dk") == prologue[28:44].hex())
    return prologue, prologue[28:44], context


def make_prologue(object_id, data_key_id, context):
    """The prologue of an object; the context gets the data key's id."""
    encoded = encode_context(context | {"ward:dk": data_key_id.hex()})
    length = struct.pack(">I", 44 + len(encoded))
    return b"WARD\x01\x01\0\0" + length + object_id + data_key_id + encoded


def cobblestone_seal(key, salt, context, plain):
    """Cobblestone-256 of the C2SP chunked-encryption specification."""
    key, base, commitment = derive(key, COBBLESTONE + salt + context)
    out = [salt, commitment]
    for number in range(len(plain) // CHUNK + 1):
        nonce = (int.from_bytes(base, "big") ^ number).to_bytes(12, "big")
        at = number * CHUNK
        out.append(AESGCM(key).encrypt(nonce, plain[at : at + CHUNK], None))
    return b"".join(out)


def cobblestone_open(key, context, sealed):
    """Opens what `cobblestone_seal` made; answers only when the last chunk is verified."""
    salt, commitment, body = sealed[:24], sealed[24:56], sealed[56:]
    key, base, expected = derive(key, COBBLESTONE + salt + context)
    require(hmac.compare_digest(commitment, expected))
    plain, number = [], 0
    while True:
        at = number * (CHUNK + TAG)
        chunk = body[at : at + CHUNK + TAG]
        nonce = (int.from_bytes(base, "big") ^ number).to_bytes(12, "big")
        require(len(chunk) >= TAG)
        plain.append(decrypt(key, nonce, chunk, None))
        if len(chunk) < CHUNK + TAG:
            return b"".join(plain)
        number += 1


def seal_object(data_key, salt, prologue, plain):
    """Seals an object as every implementation must: the same salt gives the same bytes."""
    return prologue + cobblestone_seal(data_key, salt, prologue, plain)


def open_object(data_key, data):
    """Opens an object: its context and its plaintext."""
    prologue, _, context = parse_prologue(data)
    return context, cobblestone_open(data_key, prologue, data[len(prologue) :])


# --- stand-alone stream ---------------------------------------------------------------------------


def seal_stream(keys, context, plain):
    """What `ward encrypt` writes."""
    secret, key_id = bytes.fromhex(keys["key_version_secret"]), bytes.fromhex(keys["key_id"])
    data_key, data_key_id = secrets.token_bytes(32), secrets.token_bytes(16)
    context = context | {"ward:dk": data_key_id.hex(), "ward:kind": "stream"}
    blob = seal_blob(secret, key_id, keys["key_version"], WRAPPED_DATA_KEY, context, data_key)
    prologue = make_prologue(secrets.token_bytes(16), data_key_id, context)
    sealed = seal_object(data_key, secrets.token_bytes(24), prologue, plain)
    return b"WSTR\x01" + struct.pack(">H", len(blob)) + blob + sealed


def open_stream(keys, given, stream):
    """Opens a stream. Its wrap context is what the caller gives and Ward's own pairs."""
    require(stream[:5] == b"WSTR\x01" and len(stream) >= 7)
    (length,) = struct.unpack_from(">H", stream, 5)
    blob, sealed = stream[7 : 7 + length], stream[7 + length :]
    _, _, context = parse_prologue(sealed)
    wrap_context = given | {k: v for k, v in context.items() if k.startswith("ward:")}
    require(wrap_context.items() <= context.items())
    secret = bytes.fromhex(keys["key_version_secret"])
    data_key = open_blob(secret, WRAPPED_DATA_KEY, wrap_context, blob)
    return open_object(data_key, sealed)[1]


# --- archive --------------------------------------------------------------------------------------

SEGMENT_HEADER, ENTRY_HEADER = 32, 24
FRAGMENT, FLOW_OPENED, FLOW_CLOSED, GAP, MARK = range(1, 6)
FIRST, LAST = 1, 2


@dataclasses.dataclass
class Entry:
    """One entry of a segment."""

    kind: int
    flags: int
    subject: bytes
    body: bytes


def entries(data):
    """The entries of a segment after its header, up to a torn tail."""
    at = 0
    while at + ENTRY_HEADER <= len(data):
        kind, flags, zero, length = struct.unpack_from(">BBHI", data, at)
        end = at + ENTRY_HEADER + length
        if not (1 <= kind <= 5 and flags <= 3 and zero == 0 and length <= 327_697):
            return
        if end + 4 > len(data):
            return
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(data[at:end]):
            return
        yield Entry(kind, flags, data[at + 8 : at + 24], data[at + 24 : end])
        at = end + 4


def side_car(data):
    """The wrapped data keys of a segment: id to blob and wrap context."""
    require(data[:8] == b"WKEY\x01\0\0\0")
    require(struct.unpack(">I", data[-4:])[0] == zlib.crc32(data[:-4]))
    at, keys = 28, {}
    for _ in range(struct.unpack_from(">I", data, 24)[0]):
        key_id, at = data[at : at + 16], at + 16
        parts = []
        for _ in range(2):
            (length,) = struct.unpack_from(">H", data, at)
            parts.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        context = decode_context(parts[1])
        require(context["ward:dk"] == key_id.hex())
        keys[key_id] = parts[0], context
    require(at == len(data) - 4)
    return keys


def archived(folder):
    """The objects of an archive in the order in which they began: id, sealed bytes, complete."""
    order, sealed, trailers, wrapped = [], {}, {}, {}
    for segment in sorted(pathlib.Path(folder).glob("*.seg")):
        data = segment.read_bytes()
        require(data[:8] == b"WSEG\x01\0\0\0")
        for entry in entries(data[SEGMENT_HEADER:]):
            if entry.kind != FRAGMENT:
                continue
            body = entry.body
            if entry.subject not in sealed:
                order.append(entry.subject)
                sealed[entry.subject] = []
            if entry.flags & LAST:
                body, trailer = body[:-17], body[-17:]
                trailers[entry.subject] = struct.unpack(">QQB", trailer)
            sealed[entry.subject].append(body)
        wrapped |= side_car(segment.with_suffix(".keys").read_bytes())
    for object_id in order:
        yield object_id, b"".join(sealed[object_id]), trailers.get(object_id), wrapped


def open_archived(data_keys, sealed, wrapped):
    """Opens one archived object, as strictly as the format demands."""
    _, data_key_id, context = parse_prologue(sealed)
    _, wrap_context = wrapped[data_key_id]
    require(wrap_context.items() <= context.items())
    return open_object(bytes.fromhex(data_keys[data_key_id.hex()]), sealed)


def open_archive(keys, folder, out):
    """Writes what an archive holds, object by object, and says what it is. One that does not open,
    or whose data key is not given, keeps no other from it; then the exit code is 1."""
    all_opened = True
    for object_id, sealed, trailer, wrapped in archived(folder):
        try:
            # Without its last fragment an object is not whole, and so not proven.
            require(trailer is not None)
            context, plain = open_archived(keys["data_keys"], sealed, wrapped)
            require(len(plain) == trailer[0])
        except REFUSED:
            print(json.dumps({"object_id": object_id.hex(), "opened": False}))
            all_opened = False
            continue
        (pathlib.Path(out) / object_id.hex()).write_bytes(plain)
        line = {"object_id": object_id.hex(), "opened": True, "bytes": len(plain)}
        line |= {name: context[f"ward:{name}"] for name in ("device", "direction", "protocol")}
        print(json.dumps(line | {"complete": trailer[2] == 1}))
    require(all_opened)


# --- command line ---------------------------------------------------------------------------------


def main(arguments):
    """Runs one command; a failure to open writes nothing and exits with 1."""
    verb, keys, *rest = arguments
    keys = json.loads(pathlib.Path(keys).read_text("utf-8"))
    if verb == "open-archive":
        return open_archive(keys, *rest)
    data = sys.stdin.buffer.read()
    if verb == "open-object":
        _, data_key_id, _ = parse_prologue(data)
        result = open_object(bytes.fromhex(keys["data_keys"][data_key_id.hex()]), data)[1]
    elif verb == "seal-object":
        prologue = bytes.fromhex(rest[0])
        data_key = bytes.fromhex(keys["data_keys"][prologue[28:44].hex()])
        result = seal_object(data_key, secrets.token_bytes(24), prologue, data)
    elif verb == "open-stream":
        result = open_stream(keys, dict(pair.split("=", 1) for pair in rest), data)
    elif verb == "seal-stream":
        result = seal_stream(keys, dict(pair.split("=", 1) for pair in rest), data)
    else:
        raise SystemExit(__doc__)
    sys.stdout.buffer.write(result)
    return None


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    try:
        main(sys.argv[1:])
    except REFUSED as error:
        raise SystemExit("OPEN_FAILED") from error
