#!/usr/bin/env python3
"""Verifies an export of `ward audit export` with public keys alone (docs/audit.md).
python3 audit_verify.py EXPORT [CA_SHA256]    needs python3-cryptography, and nothing of Ward
CA_SHA256: of the authority's public key, as the operators tell it by another way."""
import hashlib, json, sys
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
bad, documents, files, section = [], [], {}, {}
with open(sys.argv[1], "rb") as export:
    while line := export.readline():
        section = json.loads(line)
        body = export.read(section["bytes"]) if "bytes" in section else b""
        if "bytes" in section and export.read(1) != b"\n": sys.exit("FAILED: the export was cut")
        if section["kind"] == "anchors": documents.append(json.loads(body))
        if section["kind"] == "node": files[section["node"]] = []
        if section["kind"] == "file": files[section["node"]].append((section["name"], body))
        if section["kind"] == "missing": bad.append(f"node {section['node']}: {section['why']}")
if section.get("kind") != "end" or not documents: sys.exit("FAILED: the export was cut")
cluster = bytes.fromhex(documents[0]["cluster_id"])
spki = lambda ca: hashlib.sha256(ca.public_key().public_bytes(
    ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
cas = [x509.load_der_x509_certificate(bytes.fromhex(der)) for der in documents[0]["ca"]]
cas = [ca for ca in cas if spki(ca) in (sys.argv[2:] or [spki(ca)])]
def holds(by, signature, message):
    try: return by.public_key().verify(signature, message, ec.ECDSA(hashes.SHA256())) is None
    except InvalidSignature: return False
def bound(key, node, whose):  # authority -> the node's certificate -> Ed25519 key
    cert = x509.load_der_x509_certificate(bytes.fromhex(key["certificate"]))
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri, = names.get_values_for_type(x509.UniformResourceIdentifier)
    statement = b"ward/audit/key/v1\0" + whose + bytes.fromhex(key["public_key"])
    return (any(holds(ca, cert.signature, cert.tbs_certificate_bytes) for ca in cas)
            and uri.endswith(f"/node/{node}")
            and holds(cert, bytes.fromhex(key["binding"]), statement))
for node, logs in files.items():
    whose, head, seen = cluster + node.to_bytes(8, "big"), (0, "0" * 64), {}
    told = [log for document in documents for log in document["logs"] if log["node"] == node]
    keys = {key["public_key"] for log in told for key in log["keys"] if bound(key, node, whose)}
    lines = [(name, at, raw) for name, body in logs
             for at, raw in enumerate(body.split(b"\0")[0].split(b"\n")[:-1], 1)]
    for name, at, raw in lines:
        try:
            record, former = json.loads(raw), head
            head = (record["seq"], hashlib.sha256(raw).hexdigest()); seen[head[0]] = head[1]
            if (head[0] - 1, record["prev"]) != former: raise ValueError(f"not after {former[0]}")
            if record["kind"] != "checkpoint": continue
            if record["key"] not in keys: raise ValueError("signed by an unknown key")
            signed, _, rest = raw.rpartition(b',"signature":"')
            ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(record["key"])).verify(
                bytes.fromhex(rest[:-2].decode()), b"ward/audit/checkpoint/v1\0" + whose + signed)
        except (InvalidSignature, KeyError, TypeError, ValueError) as why:
            bad.append(f"node {node}, {name} line {at}: {why or 'the signature is wrong'}")
    if seen and not told: bad.append(f"node {node}: never anchored")
    bad += [f"node {node}: record {it['sequence']} is not what was anchored" for log in told
            for it in log["anchors"] if seen.get(it["sequence"]) != it["hash"] or it["fork"]]
    print(f"node {node}: {len(seen)} records, {len(keys)} keys, last record {head[0]}")
print("\n".join([f"authority {spki(ca)}" for ca in cas] + [f"FAILED: {what}" for what in bad]))
sys.exit(1 if bad else 0)
