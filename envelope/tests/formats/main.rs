//! The formats from outside: what goes in comes out, and nothing else does.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that panics has failed, and one that is skipped says so"
)]

mod blob_and_record;
mod context;
mod headers;
mod object;
mod object_tampering;
mod second;

use envelope::{
    context::{EncryptionContext, reserved},
    id::{DataKeyId, ObjectId},
    object::{Prologue, Sealer},
    secret::SecretKey,
};

/// An object whose sealing the tests can look into.
struct Sealed {
    data_key: SecretKey,
    bytes: Vec<u8>,
    /// Where the first chunk begins.
    body: usize,
}

/// Seals `plaintext` under a new data key, or under `data_key` when one is given.
fn seal_object(data_key: Option<&SecretKey>, plaintext: &[u8]) -> Sealed {
    let data_key = match data_key {
        Some(key) => SecretKey::from_slice(key.expose()).unwrap(),
        None => SecretKey::generate(),
    };
    let mut sealer = Sealer::new(&data_key, &prologue()).unwrap();
    let mut bytes = sealer.header().to_vec();
    let body = bytes.len();
    sealer.update(plaintext, &mut bytes).unwrap();
    assert_eq!(sealer.finish(&mut bytes).unwrap(), plaintext.len() as u64);
    Sealed {
        data_key,
        bytes,
        body,
    }
}

fn prologue() -> Prologue {
    let data_key_id = DataKeyId::random();
    let mut context = EncryptionContext::new();
    context
        .insert_reserved(reserved::DATA_KEY, data_key_id.to_string())
        .unwrap();
    context.insert_reserved(reserved::DEVICE, "mon-1").unwrap();
    context.insert("ward", "3 West").unwrap();
    Prologue {
        object_id: ObjectId::random(),
        data_key_id,
        context,
    }
}

/// Bytes in which no two chunks are alike.
fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

/// Calls `check` with every copy of `bytes` in which one bit of `range` is flipped.
fn for_each_flipped_bit(bytes: &[u8], range: std::ops::Range<usize>, mut check: impl FnMut(&[u8])) {
    let mut copy = bytes.to_vec();
    for byte in range {
        for bit in 0..8 {
            copy[byte] ^= 1 << bit;
            check(&copy);
            copy[byte] ^= 1 << bit;
        }
    }
}
