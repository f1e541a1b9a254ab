"""usage: audit_verify.py EXPORT [CA_SHA256 [ANCHORS ...]]; both come another way: docs/audit.md"""
import collections, hashlib, json, re, sys
if not sys.argv[1:]: sys.exit(__doc__)
from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
files, documents = collections.defaultdict(list), [json.load(open(it)) for it in sys.argv[3:]]
with open(sys.argv[1], "rb") as export:
    while line := export.readline():
        section = json.loads(line)
        body = export.read(section.get("bytes", -1) + 1)[:-1]
        if section["kind"] == "anchors": documents.append(json.loads(body))
        if section["kind"] == "file": files[section["node"]].append((section["name"], body))
if not files or not documents or section["kind"] != "end": sys.exit("FAILED: the export was cut")
spki = lambda ca: hashlib.sha256(ca.public_key().public_bytes(
    ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
cas = [x509.load_der_x509_certificate(bytes.fromhex(der)) for der in documents[0]["ca"]]
cas = [ca for ca in cas if spki(ca) in (sys.argv[2:3] or [spki(ca)])]
def holds(by, signature, message):
    try: return by.public_key().verify(signature, message, ec.ECDSA(hashes.SHA256())) is None
    except exceptions.InvalidSignature: return False
def bound(key, node, who):  # authority -> the node's certificate -> Ed25519 key
    cert = x509.load_der_x509_certificate(bytes.fromhex(key["certificate"]))
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri, = names.get_values_for_type(x509.UniformResourceIdentifier)
    statement = b"ward/audit/key/v1\0" + who + bytes.fromhex(key["public_key"])
    return (uri.endswith(f"/node/{node}") and holds(cert, bytes.fromhex(key["binding"]), statement)
            and any(holds(ca, cert.signature, cert.tbs_certificate_bytes) for ca in cas))
def records(body):  # without zeros that no record follows: what a power cut left of a write
    before, _, after = body.partition(b"\0")
    return (body if re.search(rb'\n{"seq":\d+,"prev":.*}\n', after) else before).split(b"\n")[:-1]
logs, bad, left = [log for document in documents for log in document["logs"]], [], set()
for node, parts in files.items():
    who = bytes.fromhex(documents[0]["cluster_id"]) + node.to_bytes(8, "big")
    told, head, signed, gone = [it for it in logs if it["node"] == node], (0, "0" * 64), {}, set()
    keys = {key["public_key"] for log in told for key in log["keys"] if bound(key, node, who)}
    for name, at, raw in [(n, *line) for n, body in parts for line in enumerate(records(body), 1)]:
        try:
            entry, former = json.loads(raw), head
            head = (entry["seq"], hashlib.sha256(raw).hexdigest())
            if (head[0] - 1, entry["prev"]) != former: raise ValueError(f"not after {former[0]}")
            if entry.get("action") == "RemoveNode": gone |= {(entry["resource"], entry["outcome"])}
            if entry["kind"] != "checkpoint": continue
            if entry["key"] not in keys: raise ValueError("signed by an unknown key")
            ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry["key"])).verify(
                bytes.fromhex(entry["signature"]), b"ward/audit/checkpoint/v1\0" + who + raw[:-144])
            signed[head[0]], left = head[1], left | {it for it, how in gone if how == "allowed"}
        except (exceptions.InvalidSignature, KeyError, TypeError, ValueError) as why:
            bad.append(f"node {node}, {name} line {at}: {why or 'the signature is wrong'}")
    anchors = [anchor for log in told for anchor in log["anchors"]]
    bad += [f"node {node}: record {it['sequence']} is not the checkpoint that was anchored"
            for it in anchors if signed.get(it["sequence"]) != it["hash"] or it["fork"]]
    bad += [] if anchors else [f"node {node}: no anchor speaks for its log"]
    print(f"node {node}: {head[0]} records, signed to {max(signed, default=0)}")
removed = {it["node"] for it in logs if it.get("removed") and f"node/{it['node']}" in left}
stayed = {log["node"] for log in logs if not log.get("removed")} - removed - {*files}
bad += [f"node {node}: its log is not here, and it was not removed" for node in sorted(stayed)]
for node in {log["node"] for log in logs} - {*files}: print(f"node {node} is not in this export")
print("\n".join([f"authority {spki(ca)}" for ca in cas] + [f"FAILED: {what}" for what in bad]))
sys.exit(1 if bad else 0)
