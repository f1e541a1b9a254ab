//! Sealing and opening speed against ring's own speed for the same chunks, in the same run.
//!
//! `just bench-envelope`. Rounds are interleaved and medians shown, so that a machine that speeds
//! up or slows down meanwhile does not favour one side.

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

const ROUNDS: usize = 101;
const LARGE_BYTES: usize = 4 << 20;
/// What a pump reads at once, and what an archive writes at once.
const PIECE_BYTES: usize = 64 << 10;
const SMALL_BYTES: usize = 2 << 10;
const SMALL_OBJECTS: usize = 200;

fn main() {
    let data_key = SecretKey::generate();
    let prologue = prologue();
    let mut piece = vec![7; PIECE_BYTES];
    let sealed = sealed_object(&data_key, &prologue, &piece);

    let (mut ring, mut sealing, mut opening, mut small) = (vec![], vec![], vec![], vec![]);
    let (mut out, mut opened) = (Vec::new(), SecretVec::new());
    for _ in 0..ROUNDS {
        ring.push(seconds(|| ring_chunks(&mut piece)));
        sealing.push(seconds(|| {
            seal(&data_key, &prologue, &piece, LARGE_BYTES, &mut out)
        }));
        opening.push(seconds(|| open(&data_key, &sealed, &mut opened)));
        small.push(seconds(|| {
            for _ in 0..SMALL_OBJECTS {
                seal(&data_key, &prologue, &piece, SMALL_BYTES, &mut out);
            }
        }));
    }

    let ring = gigabytes_per_second(&mut ring);
    println!("ring alone, 16 KiB chunks in place    {ring:6.2} GB/s");
    for (what, times) in [("sealing", &mut sealing), ("opening", &mut opening)] {
        let speed = gigabytes_per_second(times);
        println!(
            "{what} 4 MiB in pieces of 64 KiB    {speed:6.2} GB/s, {:.2} of ring",
            speed / ring
        );
    }
    let each = median(&mut small) / SMALL_OBJECTS as f64 * 1e6;
    println!("sealing an object of 2 KiB            {each:6.2} µs, key derivation and all");
}

/// What the cipher alone does for as many bytes: every chunk in place, under one key.
fn ring_chunks(piece: &mut [u8]) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    for number in 0..(LARGE_BYTES / CHUNK_BYTES) as u64 {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let start = number as usize * CHUNK_BYTES % PIECE_BYTES;
        let chunk = &mut piece[start..start + CHUNK_BYTES];
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::empty(), chunk)
            .unwrap();
        black_box(tag.as_ref());
    }
}

/// Seals `bytes` bytes and hands the sealed pieces on as they come.
fn seal(data_key: &SecretKey, prologue: &Prologue, piece: &[u8], bytes: usize, out: &mut Vec<u8>) {
    let mut sealer = Sealer::new(data_key, prologue).unwrap();
    out.clear();
    out.extend_from_slice(sealer.header());
    let mut missing = bytes;
    while missing > 0 {
        let piece = &piece[..missing.min(PIECE_BYTES)];
        sealer.update(piece, out).unwrap();
        missing -= piece.len();
        black_box(&mut *out).clear();
    }
    sealer.finish(out).unwrap();
    black_box(out);
}

fn sealed_object(data_key: &SecretKey, prologue: &Prologue, piece: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(data_key, prologue).unwrap();
    let mut out = sealer.header().to_vec();
    for _ in 0..LARGE_BYTES / PIECE_BYTES {
        sealer.update(piece, &mut out).unwrap();
    }
    sealer.finish(&mut out).unwrap();
    out
}

fn open(data_key: &SecretKey, sealed: &[u8], out: &mut SecretVec) {
    let (_, used) = Prologue::parse(sealed).unwrap().unwrap();
    let (header, body) = sealed[used..]
        .split_first_chunk::<SALT_AND_COMMITMENT_BYTES>()
        .unwrap();
    let mut opener = Opener::new(data_key, &sealed[..used], header).unwrap();
    for piece in body.chunks(PIECE_BYTES) {
        opener.update(piece, out).unwrap();
        black_box(&mut *out).clear();
    }
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
