//! Objects that were changed: whatever was done, they are refused with the one error.

use envelope::{
    OpenFailed,
    limits::CHUNK_BYTES,
    object::{self, Opener, Prologue, RandomOpener, SEALED_CHUNK_BYTES},
    secret::{SecretKey, SecretVec},
};

use crate::{Sealed, for_each_flipped_bit, plaintext, seal_object};

/// Three full chunks and a short one.
const LEN: usize = 3 * CHUNK_BYTES + 1000;

#[test]
fn every_flipped_bit_of_the_header() {
    let sealed = seal_object(None, &plaintext(100));
    for_each_flipped_bit(&sealed.bytes, 0..sealed.body, |changed| {
        refused(&sealed, changed)
    });
}

#[test]
fn a_flipped_bit_anywhere_in_the_body() {
    let sealed = seal_object(None, &plaintext(LEN));
    let all = sealed.body..sealed.bytes.len();
    // Every tag, and a sample of the ciphertext.
    let tags = chunk_edges(&sealed)
        .into_iter()
        .skip(1)
        .flat_map(|edge| edge - 16..edge);
    for byte in tags.chain(all.step_by(211)) {
        for bit in [0, 7] {
            let mut changed = sealed.bytes.clone();
            changed[byte] ^= 1 << bit;
            refused(&sealed, &changed);
        }
    }
}

#[test]
fn every_swap_repetition_and_loss_of_chunks() {
    let sealed = seal_object(None, &plaintext(LEN));
    let chunks: Vec<&[u8]> = sealed.bytes[sealed.body..]
        .chunks(SEALED_CHUNK_BYTES)
        .collect();
    for one in 0..chunks.len() {
        let mut lost = chunks.clone();
        lost.remove(one);
        refused(&sealed, &with_chunks(&sealed, &lost));
        for other in 0..chunks.len() {
            let mut repeated = chunks.clone();
            repeated.insert(other, chunks[one]);
            refused(&sealed, &with_chunks(&sealed, &repeated));
            if one != other {
                let mut swapped = chunks.clone();
                swapped.swap(one, other);
                refused(&sealed, &with_chunks(&sealed, &swapped));
            }
        }
    }
}

#[test]
fn truncation_at_every_edge_and_beside_it() {
    let sealed = seal_object(None, &plaintext(LEN));
    for edge in chunk_edges(&sealed) {
        for len in [edge - 1, edge, edge + 1] {
            if len < sealed.bytes.len() {
                refused(&sealed, &sealed.bytes[..len]);
            }
        }
    }
    for len in 0..sealed.body {
        refused(&sealed, &sealed.bytes[..len]);
    }
}

#[test]
fn truncation_at_every_edge_of_a_whole_number_of_chunks() {
    // Here the last chunk is empty: cutting it off must not look like an end.
    let sealed = seal_object(None, &plaintext(2 * CHUNK_BYTES));
    for edge in chunk_edges(&sealed) {
        for len in [edge - 1, edge, edge + 1] {
            if len < sealed.bytes.len() {
                refused(&sealed, &sealed.bytes[..len]);
            }
        }
    }
}

#[test]
fn extension_by_any_bytes() {
    let sealed = seal_object(None, &plaintext(LEN));
    let last = *chunk_edges(&sealed).iter().rev().nth(1).unwrap();
    let filling = SEALED_CHUNK_BYTES - (sealed.bytes.len() - last);
    for more in [1, 15, 16, 17, filling, filling + 16, SEALED_CHUNK_BYTES] {
        let mut extended = sealed.bytes.clone();
        extended.resize(extended.len() + more, 0);
        refused(&sealed, &extended);
    }
    let mut extended = sealed.bytes.clone();
    extended.extend_from_slice(&sealed.bytes[last..]);
    refused(&sealed, &extended);
}

#[test]
fn splicing_from_an_object_under_the_same_data_key() {
    let sealed = seal_object(None, &plaintext(LEN));
    let other = seal_object(Some(&sealed.data_key), &plaintext(LEN));
    assert_eq!(sealed.bytes.len(), other.bytes.len());

    // The other's prologue; the other's salt and commitment; both: never with this one's body.
    let salt = sealed.body - object::SALT_AND_COMMITMENT_BYTES;
    for foreign in [0..salt, salt..sealed.body, 0..sealed.body] {
        let mut spliced = sealed.bytes.clone();
        spliced[foreign.clone()].copy_from_slice(&other.bytes[foreign]);
        refused(&sealed, &spliced);
    }
    // Each of its chunks in this one's place, and everything from there on.
    let edges = chunk_edges(&sealed);
    for pair in edges.windows(2) {
        for foreign in [pair[0]..pair[1], pair[0]..sealed.bytes.len()] {
            let mut spliced = sealed.bytes.clone();
            spliced[foreign.clone()].copy_from_slice(&other.bytes[foreign]);
            refused(&sealed, &spliced);
        }
    }
}

#[test]
fn another_key() {
    let sealed = seal_object(None, &plaintext(100));
    assert_eq!(
        open(&SecretKey::generate(), &sealed.bytes).err(),
        Some(OpenFailed)
    );
}

#[test]
fn only_authenticated_chunks_are_released_and_failure_is_for_ever() {
    let message = plaintext(LEN);
    let sealed = seal_object(None, &message);
    let mut changed = sealed.bytes.clone();
    changed[sealed.body + SEALED_CHUNK_BYTES + 5] ^= 1;
    let (_, used) = Prologue::parse(&changed).unwrap().unwrap();
    let header = changed[used..].first_chunk().unwrap();
    let mut opener = Opener::new(&sealed.data_key, &changed[..used], header).unwrap();
    let mut out = SecretVec::new();
    assert_eq!(
        opener.update(&changed[sealed.body..], &mut out),
        Err(OpenFailed)
    );
    assert!(
        out.expose() == &message[..CHUNK_BYTES],
        "the first chunk and nothing of the second"
    );
    let good = &sealed.bytes[sealed.body + SEALED_CHUNK_BYTES..];
    assert_eq!(opener.update(good, &mut out), Err(OpenFailed));
    assert_eq!(opener.update(&[], &mut out), Err(OpenFailed));
    assert_eq!(opener.finish(&mut out), Err(OpenFailed));
    assert_eq!(out.len(), CHUNK_BYTES);
}

#[test]
fn a_chunk_opens_at_its_own_place_alone() {
    let sealed = seal_object(None, &plaintext(LEN));
    let (_, used) = Prologue::parse(&sealed.bytes).unwrap().unwrap();
    let header = sealed.bytes[used..].first_chunk().unwrap();
    let opener = RandomOpener::new(&sealed.data_key, &sealed.bytes[..used], header).unwrap();
    let chunks: Vec<&[u8]> = sealed.bytes[sealed.body..]
        .chunks(SEALED_CHUNK_BYTES)
        .collect();
    for (place, chunk) in chunks.iter().enumerate() {
        let is_last = place == chunks.len() - 1;
        for number in 0..6 {
            let opened = opener.open_chunk(number, chunk, is_last);
            assert_eq!(opened.is_ok(), number == place as u64);
        }
        let number = place as u64;
        assert_eq!(
            opener.open_chunk(number, chunk, !is_last).err(),
            Some(OpenFailed)
        );
        assert!(
            opener
                .open_chunk(number, &chunk[..chunk.len() - 1], is_last)
                .is_err()
        );
    }
    assert!(opener.open_chunk(0, &[], true).is_err());
}

/// Demands that `changed` is refused: whole, and in pieces that hide where chunks end.
fn refused(sealed: &Sealed, changed: &[u8]) {
    assert!(changed != sealed.bytes, "the test changed nothing");
    assert_eq!(open(&sealed.data_key, changed).err(), Some(OpenFailed));
}

fn open(data_key: &SecretKey, sealed: &[u8]) -> Result<(), OpenFailed> {
    let whole = object::open(data_key, sealed).map(|_| ());
    let pieces = open_in_pieces(data_key, sealed);
    assert_eq!(whole, pieces);
    whole
}

fn open_in_pieces(data_key: &SecretKey, sealed: &[u8]) -> Result<(), OpenFailed> {
    let (_, used) = Prologue::parse(sealed).ok().flatten().ok_or(OpenFailed)?;
    let (header, body) = sealed[used..].split_first_chunk().ok_or(OpenFailed)?;
    let mut opener = Opener::new(data_key, &sealed[..used], header)?;
    let mut out = SecretVec::new();
    for piece in body.chunks(SEALED_CHUNK_BYTES - 1) {
        opener.update(piece, &mut out)?;
        out.clear();
    }
    opener.finish(&mut out).map(|_| ())
}

/// The beginning of each chunk, and the object's end.
fn chunk_edges(sealed: &Sealed) -> Vec<usize> {
    let starts = (sealed.body..sealed.bytes.len()).step_by(SEALED_CHUNK_BYTES);
    starts.chain([sealed.bytes.len()]).collect()
}

fn with_chunks(sealed: &Sealed, chunks: &[&[u8]]) -> Vec<u8> {
    [&sealed.bytes[..sealed.body], &chunks.concat()].concat()
}
