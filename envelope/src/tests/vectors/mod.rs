//! The frozen vectors in `envelope/vectors`, by which the formats are held for ever.
//!
//! Each format has a file. Its test makes the file's content again from fixed keys and salts and
//! demands the very same text; then it reads the file and opens the bytes in it, and writes again
//! what it parsed. A second implementation in Python reads the same files
//! (`python/check_vectors.py`).

mod blob;
mod context;
mod object;
mod record;
mod stream;
mod token;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    context::{EncryptionContext, reserved},
    id::{DataKeyId, ObjectId},
    object::Prologue,
    secret::SecretKey,
};

/// Demands that `made` is what is frozen under `name`, and returns the frozen vectors.
fn frozen(name: &str, format: &str, made: Vec<Value>) -> Vec<Value> {
    let made = json!({ "format": format, "vectors": made });
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "vectors", name]
        .iter()
        .collect();
    // Compared as values: the order of a JSON object's members is not part of a vector, and another
    // crate of the same build may change how they are ordered.
    let mut kept: Value =
        std::fs::read(&path).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    if kept != made {
        let candidate = std::env::temp_dir().join(format!("ward-vectors-{name}"));
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        std::fs::write(&candidate, text).unwrap();
        panic!(
            "{} no longer holds what this code writes. If the format is changed on purpose, give \
             it a new version, keep the old file, and add {} as a new one",
            path.display(),
            candidate.display()
        );
    }
    serde_json::from_value(kept["vectors"].take()).unwrap()
}

/// Bytes that are easy to make in any language: `first`, `first + 1`, …
fn counted<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|n| first.wrapping_add(n as u8))
}

/// A plaintext that repeats every 251 bytes, so never in step with a chunk.
fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

fn key(first: u8) -> SecretKey {
    SecretKey::from_slice(&counted::<32>(first)).unwrap()
}

fn context_of(pairs: &[(&str, &str)]) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    for (key, value) in pairs {
        if key.starts_with(reserved::PREFIX) {
            context.insert_reserved(*key, *value).unwrap();
        } else {
            context.insert(*key, *value).unwrap();
        }
    }
    context
}

/// The prologue that the vectors of objects and streams share.
fn prologue() -> Prologue {
    let data_key_id = DataKeyId::from_bytes(counted(0x30));
    let id = data_key_id.to_string();
    let context = context_of(&[
        (reserved::DATA_KEY, &id),
        (reserved::KIND, "object"),
        (reserved::DEVICE, "mon-1"),
        ("ward", "3 West"),
    ]);
    Prologue {
        object_id: ObjectId::from_bytes(counted(0x20)),
        data_key_id,
        context,
    }
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text in field {field}"))
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(vector, field)).unwrap()
}

fn key_in(vector: &Value, field: &str) -> SecretKey {
    SecretKey::from_slice(&bytes(vector, field)).unwrap()
}

fn number(vector: &Value, field: &str) -> u64 {
    vector[field]
        .as_u64()
        .unwrap_or_else(|| panic!("no number in field {field}"))
}

fn context_in(vector: &Value) -> EncryptionContext {
    let pairs = vector["context"].as_object().unwrap();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str().unwrap()))
        .collect();
    context_of(&pairs)
}

fn context_json(context: &EncryptionContext) -> Value {
    context
        .iter()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect()
}
