//! Keys of material from elsewhere: sealed by the tool, and by another implementation of the RFC.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Stack, files_below, python, refused, succeeded};

/// What the documentation tells: Python's package cryptography, from version 47.
const WRAP: &str = "
import json, sys
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

told = json.load(sys.stdin)
suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
public = X25519PublicKey.from_public_bytes(bytes.fromhex(told['public_key']))
material = open(sys.argv[1], 'rb').read()
wrapped = suite.encrypt(material, public, info=bytes.fromhex(told['info']))
open(sys.argv[2], 'wb').write(wrapped)
";

/// Nothing but this is in the files that hold it.
const CANARY: &[u8; 32] = b"canary-imported-Mustermann-00000";

fn holds(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|it| it == needle)
}

#[test]
fn material_is_sealed_by_the_tool_and_stands_nowhere_in_clear() {
    let mut stack = Stack::up(&["--nodes", "3"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("material");
    std::fs::write(&file, CANARY).unwrap();
    let file = file.to_str().unwrap();
    let import = ["key", "import", "lab", "--from", file];
    let key = stack.json(&import);
    assert_eq!(
        (&key["name"], &key["origin"]),
        (&"lab".into(), &"imported".into())
    );
    assert_eq!(stack.reason(&import), "NAME_TAKEN");
    let known = ["key", "import", "other", "--from", file];
    assert_eq!(stack.reason(&known), "MATERIAL_KNOWN");
    let wrong = [
        "key", "import", "signs", "--type", "ed25519", "--from", file,
    ];
    assert_eq!(stack.reason(&wrong), "INVALID_ARGUMENT");
    let missing = stack.ward(&["key", "import", "k", "--from", "canary-in-the-wrong-place"]);
    assert_eq!(refused(&missing), "STORAGE");
    assert!(!holds(&missing.stderr, b"canary"));

    stack.json(&["key", "create", "made"]);
    let listed = stack.json(&["key", "list"]);
    let origin = |at: usize| listed[at]["origin"].as_str().unwrap().to_owned();
    assert_eq!(
        (origin(0), origin(1)),
        ("imported".to_owned(), "made".to_owned())
    );
    let encrypt = ["encrypt", "--key", "lab"];
    let sealed = succeeded(&encrypt, stack.ward_with(&encrypt, b"text"));
    let opened = succeeded(&["decrypt"], stack.ward_with(&["decrypt"], &sealed));
    assert_eq!(opened, b"text");

    stack.stop();
    let files = files_below(&stack.dir());
    let hex = hex::encode(CANARY);
    for needle in [&CANARY[..16], b"Mustermann", &hex.as_bytes()[..32]] {
        for file in &files {
            let bytes = std::fs::read(file).unwrap_or_default();
            assert!(!holds(&bytes, needle), "{}", file.display());
        }
        assert!(!holds(stack.said().as_bytes(), needle));
    }
    // The positive control: the name is there, and found.
    let names = files.iter().filter(|file| {
        let bytes = std::fs::read(file).unwrap_or_default();
        holds(&bytes, b"lab")
    });
    assert_ne!(names.count(), 0);
}

#[test]
fn what_another_implementation_seals_is_imported() {
    let Some(mut python) = python() else {
        return;
    };
    let stack = Stack::up(&["--nodes", "1"]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (material, wrapped) = (path("material"), path("wrapped"));
    // RFC 8032, section 7.1, test 1, as PKCS#8 without a public key: what `openssl genpkey` writes.
    let pkcs8 = "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919\
                 703bac031cae7f60";
    std::fs::write(&material, hex::decode(pkcs8).unwrap()).unwrap();
    let ask = [
        "key",
        "import-parameters",
        "reports",
        "--type",
        "ed25519",
        "--ttl",
        "10m",
    ];
    let told = stack.json(&ask);
    let mut wrapping = python
        .args(["-c", WRAP, &material, &wrapped])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = wrapping.stdin.take().unwrap();
    stdin.write_all(told.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = wrapping.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named 'cryptography.hazmat.primitives.hpke'") {
        return crate::harness::skip("HPKE in Python (install cryptography 47 or newer)");
    }
    assert!(output.status.success(), "{said}");

    let id = told["import_id"].as_str().unwrap();
    let import = ["key", "import-wrapped", id, "--from", &wrapped];
    let key = stack.json(&import);
    assert_eq!(key["origin"], Value::from("imported"));
    assert_eq!(stack.reason(&import), "IMPORT_INVALID");
    // The public key of the RFC's key.
    let public = stack.json(&["key", "public-key", "reports"]);
    let pem = public["pem"].as_str().unwrap();
    assert!(
        pem.contains("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
        "{pem}"
    );
}
