//! `ward sign`, `ward mac`, and what other programs say to their answers.

use serde_json::Value;

use crate::harness::{Stack, python, refused, succeeded};

fn text(stack: &Stack, arguments: &[&str], message: &[u8]) -> String {
    let stdout = succeeded(arguments, stack.ward_with(arguments, message));
    String::from_utf8(stdout).unwrap().trim_end().to_owned()
}

#[test]
fn what_is_signed_is_verified_and_what_is_not_is_refused() {
    let stack = Stack::up(&["--nodes", "1"]);
    for (key_type, make, verify) in [
        ("ed25519", "sign", "verify"),
        ("ecdsa-p256", "sign", "verify"),
        ("hmac-sha-256", "mac", "verify-mac"),
    ] {
        let made = stack.json(&["key", "create", key_type, "--type", key_type]);
        assert_eq!(made["key_type"], key_type);
        let first = text(&stack, &[make, "--key", key_type], b"message");
        assert!(first.starts_with("v1:"), "{first}");
        stack.json(&["key", "rotate", key_type]);
        let second = text(&stack, &[make, "--key", key_type], b"message");
        assert!(second.starts_with("v2:"), "{second}");
        let asked = text(
            &stack,
            &[make, "--key", key_type, "--version", "1"],
            b"message",
        );
        assert!(asked.starts_with("v1:"), "{asked}");
        for signature in [&first, &second, &asked] {
            let arguments = [verify, "--key", key_type, signature];
            let told = text(&stack, &arguments, b"message");
            assert!(told.starts_with("verified: "), "{told}");
            let lost = stack.ward_with(&arguments, b"another message");
            assert_eq!(refused(&lost), "VERIFY_FAILED");
        }
        let swapped = first.replace("v1:", "v2:");
        let lost = stack.ward_with(&[verify, "--key", key_type, &swapped], b"message");
        assert_eq!(refused(&lost), "VERIFY_FAILED");
        let long = stack.ward_with(&[make, "--key", key_type], &[0; 4_097]);
        assert_eq!(refused(&long), "INVALID_ARGUMENT");
        assert_eq!(stack.reason(&["encrypt", "--key", key_type]), "KEY_USAGE");
    }
    stack.json(&["key", "create", "lab"]);
    assert_eq!(stack.reason(&["sign", "--key", "lab"]), "KEY_USAGE");
    assert_eq!(stack.reason(&["mac", "--key", "ed25519"]), "KEY_USAGE");
    assert_eq!(stack.reason(&["key", "public-key", "lab"]), "KEY_USAGE");
    assert_eq!(stack.reason(&["sign", "--key", "none"]), "KEY_NOT_FOUND");

    let random = stack.json(&["random", "16"]);
    assert_eq!(random["base64"].as_str().unwrap().len(), 24);
    assert_ne!(random, stack.json(&["random", "16"]));
}

/// The standard's own words, by a library that is none of ours.
#[test]
fn a_signature_is_verified_in_python_with_the_public_key() {
    let Some(mut python) = python() else {
        return;
    };
    let stack = Stack::up(&["--nodes", "1"]);
    let mut cases = Vec::new();
    for key_type in ["ed25519", "ecdsa-p256"] {
        stack.json(&["key", "create", key_type, "--type", key_type]);
        stack.json(&["key", "rotate", key_type]);
        for version in ["1", "2"] {
            let shown = stack.json(&["key", "public-key", key_type, "--version", version]);
            let asked = ["sign", "--key", key_type, "--version", version];
            let signature = text(&stack, &asked, b"message");
            let (_, base64) = signature.split_once(':').unwrap();
            cases.push(serde_json::json!({ "pem": shown["pem"], "signature": base64 }));
        }
    }
    let output = python
        .args(["-c", VERIFY, &Value::from(cases).to_string()])
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "4 verified, 4 refused\n",
        "{talk}"
    );
}

const VERIFY: &str = r#"
import base64, json, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key

verified = refused = 0
for case in json.loads(sys.argv[1]):
    key = load_pem_public_key(case["pem"].encode())
    signature = base64.b64decode(case["signature"])
    for message in (b"message", b"another"):
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            verified += 1
        except InvalidSignature:
            refused += 1
print(f"{verified} verified, {refused} refused")
"#;
