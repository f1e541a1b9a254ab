//! Both ways between this implementation and the one in Python, `envelope/python/ward_formats.py`:
//! what one seals, the other opens, and what was changed neither does.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use envelope::{
    blob::{self, Purpose},
    context::{EncryptionContext, reserved},
    id::{KeyId, KeyVersion},
    object::{self, Prologue, Sealer},
    secret::SecretKey,
    stream::StreamHeader,
};
use serde_json::{Value, json};

use crate::{Sealed, plaintext, prologue, seal_object};

/// Around every edge of a chunk, and of a mebibyte.
const SIZES: [usize; 8] = [
    0, 1, 16_383, 16_384, 16_385, 1_048_575, 1_048_576, 1_048_577,
];

#[test]
fn python_opens_the_objects_sealed_here() {
    let Some(python) = Python::find() else { return };
    for size in SIZES {
        let Sealed {
            data_key,
            mut bytes,
            ..
        } = seal_object(None, &plaintext(size));
        let keys = python.data_keys(&data_key, &bytes);
        let opened = python.run(&["open-object", &keys], &bytes);
        assert!(opened.status.success(), "{size}: {opened:?}");
        assert!(opened.stdout == plaintext(size), "{size} bytes");

        *bytes.last_mut().unwrap() ^= 1;
        python.refuses(&["open-object", &keys], &bytes);
    }
}

#[test]
fn objects_sealed_by_python_open_here() {
    let Some(python) = Python::find() else { return };
    for size in SIZES {
        let (data_key, written) = (SecretKey::generate(), prologue().encode());
        let keys = python.data_keys(&data_key, &written);
        let prologue = hex::encode(&written);
        let sealed = python.run(&["seal-object", &keys, &prologue], &plaintext(size));
        assert!(sealed.status.success(), "{size}: {sealed:?}");
        let (_, opened) = object::open(&data_key, &sealed.stdout).unwrap();
        assert!(opened.expose() == plaintext(size), "{size} bytes");

        let mut changed = sealed.stdout;
        *changed.last_mut().unwrap() ^= 1;
        assert!(object::open(&data_key, &changed).is_err(), "{size} bytes");
    }
}

#[test]
fn python_opens_the_streams_sealed_here_under_their_context_only() {
    let Some(python) = Python::find() else { return };
    for size in SIZES {
        let (key, keys) = python.key_version();
        let stream = seal_stream(&key, &plaintext(size));
        let opened = python.run(&["open-stream", &keys, "purpose=test"], &stream);
        assert!(opened.status.success(), "{size}: {opened:?}");
        assert!(opened.stdout == plaintext(size), "{size} bytes");

        for other in ["purpose=other", "ward=3"] {
            python.refuses(&["open-stream", &keys, other], &stream);
        }
        python.refuses(
            &["open-stream", &keys, "purpose=test"],
            &stream[..stream.len() - 1],
        );
    }
}

#[test]
fn streams_sealed_by_python_open_here() {
    let Some(python) = Python::find() else { return };
    for size in SIZES {
        let (key, keys) = python.key_version();
        let sealed = python.run(&["seal-stream", &keys, "purpose=test"], &plaintext(size));
        assert!(sealed.status.success(), "{size}: {sealed:?}");
        let (header, used) = StreamHeader::parse(&sealed.stdout).unwrap().unwrap();
        let sealed = &sealed.stdout[used..];
        let (prologue, _) = Prologue::parse(sealed).unwrap().unwrap();
        assert_eq!(prologue.context.get("purpose"), Some("test"));

        let wrapped = &header.wrapped;
        let data_key = blob::open(
            &key.secret,
            Purpose::WrappedDataKey,
            &prologue.context,
            wrapped,
        );
        let data_key = SecretKey::from_slice(data_key.unwrap().expose()).unwrap();
        let (_, opened) = object::open(&data_key, sealed).unwrap();
        assert!(opened.expose() == plaintext(size), "{size} bytes");
    }
}

const KEY_VERSION: KeyVersion = KeyVersion(3);

struct KeyOfStreams {
    secret: SecretKey,
    id: KeyId,
}

fn seal_stream(key: &KeyOfStreams, plaintext: &[u8]) -> Vec<u8> {
    let data_key = SecretKey::generate();
    let mut prologue = prologue();
    let mut context = EncryptionContext::new();
    let id = prologue.data_key_id.to_string();
    context.insert_reserved(reserved::DATA_KEY, id).unwrap();
    context.insert_reserved(reserved::KIND, "stream").unwrap();
    context.insert("purpose", "test").unwrap();
    prologue.context = context.clone();
    let (secret, id, version) = (&key.secret, key.id, KEY_VERSION);
    let purpose = Purpose::WrappedDataKey;
    let wrapped = blob::seal(secret, id, version, purpose, &context, data_key.expose());
    let wrapped = wrapped.unwrap();
    let mut out = StreamHeader { wrapped }.write().unwrap();
    let mut sealer = Sealer::new(&data_key, &prologue).unwrap();
    out.extend_from_slice(sealer.header());
    sealer.update(plaintext, &mut out).unwrap();
    sealer.finish(&mut out).unwrap();
    out
}

/// What cannot run here is skipped on somebody's desk, and a failure in CI.
#[expect(
    clippy::disallowed_methods,
    reason = "CI is how every CI service says that it is one"
)]
fn results_count() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
}

/// Runs the second implementation; its keys are files in a folder of its own.
struct Python {
    folder: tempfile::TempDir,
}

impl Python {
    /// None, and a line that says so, where it cannot run; a failure where the result counts.
    fn find() -> Option<Self> {
        let probe = ["-c", "import cryptography.hazmat.primitives.ciphers.aead"];
        let found = Command::new("python3").args(probe).output();
        if found.is_ok_and(|output| output.status.success()) {
            let folder = tempfile::tempdir().unwrap();
            return Some(Self { folder });
        }
        let what = "the formats in Python (install python3 and its package cryptography)";
        assert!(!results_count(), "not installed: {what}");
        eprintln!("skipped: {what}");
        None
    }

    /// A file with the data key of an object, of which at least the prologue is given.
    fn data_keys(&self, key: &SecretKey, object: &[u8]) -> String {
        let (prologue, _) = Prologue::parse(object).unwrap().unwrap();
        let id = prologue.data_key_id.to_string();
        self.keys(&json!({ "data_keys": { id: hex::encode(key.expose()) } }))
    }

    fn key_version(&self) -> (KeyOfStreams, String) {
        let key = KeyOfStreams {
            secret: SecretKey::generate(),
            id: KeyId::random(),
        };
        let keys = self.keys(&json!({
            "key_id": key.id.to_string(),
            "key_version": KEY_VERSION.0,
            "key_version_secret": hex::encode(key.secret.expose()),
        }));
        (key, keys)
    }

    fn keys(&self, keys: &Value) -> String {
        let path = self.folder.path().join("keys.json");
        std::fs::write(&path, keys.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn refuses(&self, arguments: &[&str], input: &[u8]) {
        let refused = self.run(arguments, input);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert_eq!(refused.stderr, b"OPEN_FAILED\n", "{refused:?}");
        assert!(refused.stdout.is_empty(), "nothing unproven is written");
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "python", "ward_formats.py"]
            .iter()
            .collect();
        let mut child = Command::new("python3")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It reads everything before it writes anything, so the two cannot wait for each other.
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }
}
