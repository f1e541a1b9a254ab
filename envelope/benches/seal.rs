//! Sealing and opening speed against ring's own speed for the same chunks, in the same run.
//!
//! `just bench-envelope`. Rounds are interleaved and medians shown, so that a machine that speeds up
//! or slows down meanwhile does not favour one side.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "its output is the result")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures this machine, and nothing replays it"
)]

use std::{hint::black_box, time::Instant};

use envelope::{
    context::{EncryptionContext, reserved},
    id::{DataKeyId, ObjectId},
    limits::CHUNK_BYTES,
    object::{Opener, Prologue, SALT_AND_COMMITMENT_BYTES, Sealer},
    secret::{SecretKey, SecretVec},
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

const ROUNDS: usize = 15;
const LARGE_BYTES: usize = 4 << 20;
const SMALL_BYTES: usize = 2 << 10;
const SMALL_OBJECTS: usize = 2_000;

fn main() {
    let data_key = SecretKey::generate();
    let prologue = prologue();
    let plaintext = vec![7; LARGE_BYTES];
    let mut sealed = Vec::new();
    seal(&data_key, &prologue, &plaintext, &mut sealed);

    let (mut ring, mut sealing, mut opening, mut small) = (vec![], vec![], vec![], vec![]);
    let (mut chunks, mut out, mut opened) = (plaintext.clone(), Vec::new(), SecretVec::new());
    for _ in 0..ROUNDS {
        ring.push(seconds(|| ring_chunks(&mut chunks)));
        sealing.push(seconds(|| seal(&data_key, &prologue, &plaintext, &mut out)));
        opening.push(seconds(|| open(&data_key, &sealed, &mut opened)));
        small.push(seconds(|| {
            for _ in 0..SMALL_OBJECTS {
                seal(&data_key, &prologue, &plaintext[..SMALL_BYTES], &mut out);
            }
        }));
    }

    let ring = gigabytes_per_second(&mut ring);
    println!("AES-256-GCM by ring, 16 KiB chunks in place   {ring:6.2} GB/s");
    for (what, times) in [("sealing", &mut sealing), ("opening", &mut opening)] {
        let speed = gigabytes_per_second(times);
        println!(
            "{what} an object of 4 MiB                     {speed:6.2} GB/s  {:.2} of ring's",
            speed / ring
        );
    }
    let each = median(&mut small) / SMALL_OBJECTS as f64 * 1e6;
    println!("sealing a 2 KiB object, key derivation and all {each:5.2} µs");
}

/// What the cipher alone does for these bytes: every chunk in place, under one key.
fn ring_chunks(bytes: &mut [u8]) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    for (number, chunk) in (0u64..).zip(bytes.chunks_mut(CHUNK_BYTES)) {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::empty(), chunk)
            .unwrap();
        black_box(tag.as_ref());
    }
}

fn seal(data_key: &SecretKey, prologue: &Prologue, plaintext: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut sealer = Sealer::new(data_key, prologue).unwrap();
    out.extend_from_slice(sealer.header());
    sealer.update(plaintext, out).unwrap();
    sealer.finish(out).unwrap();
    black_box(out);
}

fn open(data_key: &SecretKey, sealed: &[u8], out: &mut SecretVec) {
    out.clear();
    let (_, used) = Prologue::parse(sealed).unwrap().unwrap();
    let (header, body) = sealed[used..]
        .split_first_chunk::<SALT_AND_COMMITMENT_BYTES>()
        .unwrap();
    let mut opener = Opener::new(data_key, &sealed[..used], header).unwrap();
    opener.update(body, out).unwrap();
    opener.finish(out).unwrap();
}

fn prologue() -> Prologue {
    let data_key_id = DataKeyId::random();
    let mut context = EncryptionContext::new();
    context
        .insert_reserved(reserved::DATA_KEY, data_key_id.to_string())
        .unwrap();
    context.insert_reserved(reserved::DEVICE, "mon-1").unwrap();
    Prologue {
        object_id: ObjectId::random(),
        data_key_id,
        context,
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn gigabytes_per_second(times: &mut [f64]) -> f64 {
    LARGE_BYTES as f64 / median(times) / 1e9
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
