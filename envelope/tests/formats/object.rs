//! Objects: streaming in any pieces, random access, length from the end.

use envelope::{
    OpenFailed,
    context::reserved,
    limits::CHUNK_BYTES,
    object::{self, Opener, Prologue, RandomOpener, SALT_AND_COMMITMENT_BYTES, SEALED_CHUNK_BYTES},
    secret::{SecretKey, SecretVec},
};
use proptest::prelude::*;

use crate::{plaintext, prologue, seal_object};

/// Lengths around every edge between chunks.
const LENGTHS: [usize; 9] = [
    0,
    1,
    CHUNK_BYTES - 1,
    CHUNK_BYTES,
    CHUNK_BYTES + 1,
    2 * CHUNK_BYTES - 1,
    2 * CHUNK_BYTES,
    2 * CHUNK_BYTES + 1,
    5 * CHUNK_BYTES + 77,
];

#[test]
fn every_length_around_a_chunks_edge_comes_back() {
    for len in LENGTHS {
        let sealed = seal_object(None, &plaintext(len));
        let expected = sealed.body + len + (len / CHUNK_BYTES + 1) * 16;
        assert_eq!(sealed.bytes.len(), expected);
        let (_, opened) = object::open(&sealed.data_key, &sealed.bytes).unwrap();
        assert!(opened.expose() == plaintext(len), "{len} bytes");
    }
}

#[test]
fn random_access_finds_every_chunk_and_the_length() {
    for len in LENGTHS {
        let message = plaintext(len);
        let sealed = seal_object(None, &message);
        let opener = random_opener(&sealed.data_key, &sealed.bytes).unwrap();
        let last = opener.last_chunk(sealed.bytes.len() as u64).unwrap();
        assert_eq!(last.number, (len / CHUNK_BYTES) as u64);
        for number in 0..=last.number {
            let at = opener.sealed_offset(number).unwrap() as usize;
            let end = (at + SEALED_CHUNK_BYTES).min(sealed.bytes.len());
            let is_last = number == last.number;
            let chunk = opener
                .open_chunk(number, &sealed.bytes[at..end], is_last)
                .unwrap();
            let start = number as usize * CHUNK_BYTES;
            assert!(chunk.expose() == &message[start..start + chunk.len()]);
            if is_last {
                assert_eq!(RandomOpener::len_from_last(&last, &chunk), len as u64);
            }
        }
    }
}

#[test]
fn a_plaintext_offset_is_found_in_its_chunk() {
    assert_eq!(RandomOpener::chunk_of(0), (0, 0));
    assert_eq!(RandomOpener::chunk_of(16_383), (0, 16_383));
    assert_eq!(RandomOpener::chunk_of(16_384), (1, 0));
    assert_eq!(RandomOpener::chunk_of(1 << 40), (1 << 26, 0));
}

#[test]
fn no_object_has_a_length_that_ends_at_a_chunks_edge() {
    let sealed = seal_object(None, b"");
    let opener = random_opener(&sealed.data_key, &sealed.bytes).unwrap();
    let body = sealed.body as u64;
    for impossible in [0, body - 1, body, body + 15, body + 16_400, body + 16_415] {
        assert_eq!(
            opener.last_chunk(impossible),
            Err(OpenFailed),
            "{impossible}"
        );
    }
    assert!(opener.last_chunk(body + 16).is_ok());
    assert_eq!(opener.sealed_offset(u64::MAX), None);
}

#[test]
fn the_opener_shows_the_prologue_it_was_given() {
    let sealed = seal_object(None, b"text");
    let (parsed, used) = Prologue::parse(&sealed.bytes).unwrap().unwrap();
    assert_eq!(used + SALT_AND_COMMITMENT_BYTES, sealed.body);
    assert_eq!(parsed.encode(), &sealed.bytes[..used]);
    let (opened, _) = object::open(&sealed.data_key, &sealed.bytes).unwrap();
    assert!(opened == parsed);
}

#[test]
fn an_object_must_name_its_data_key_and_include_the_wrap_context() {
    let good = prologue();
    let id = good.data_key_id.to_string();
    let mut wrap = envelope::context::EncryptionContext::new();
    wrap.insert_reserved(reserved::DATA_KEY, id.clone())
        .unwrap();
    wrap.insert("ward", "3 West").unwrap();
    assert_eq!(good.check_belongs_to(&wrap), Ok(()));

    let mut more = wrap.clone();
    more.insert("purpose", "backup").unwrap();
    assert_eq!(good.check_belongs_to(&more), Err(OpenFailed));

    let mut unnamed = envelope::context::EncryptionContext::new();
    unnamed.insert("ward", "3 West").unwrap();
    assert_eq!(good.check_belongs_to(&unnamed), Err(OpenFailed));

    let mut other_key = good.clone();
    other_key.data_key_id = envelope::id::DataKeyId::random();
    assert_eq!(other_key.check_belongs_to(&wrap), Err(OpenFailed));
    let refused = object::Sealer::new(&SecretKey::generate(), &other_key).err();
    assert_eq!(refused, Some(envelope::FormatError::DataKeyNotNamed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_pieces_in_and_any_pieces_out(
        len in 0usize..70_000,
        pieces_in in prop::collection::vec(1usize..40_000, 1..8),
        pieces_out in prop::collection::vec(1usize..40_000, 1..8),
    ) {
        let message = plaintext(len);
        let data_key = SecretKey::generate();
        let mut sealer = object::Sealer::new(&data_key, &prologue()).unwrap();
        let header = sealer.header().to_vec();
        let mut body = Vec::new();
        for piece in in_pieces(&message, &pieces_in) {
            sealer.update(piece, &mut body).unwrap();
        }
        prop_assert_eq!(sealer.finish(&mut body).unwrap(), len as u64);

        let (prologue, salt_and_commitment) = header.split_last_chunk().unwrap();
        let mut opener = Opener::new(&data_key, prologue, salt_and_commitment).unwrap();
        let mut opened = SecretVec::new();
        for piece in in_pieces(&body, &pieces_out) {
            opener.update(piece, &mut opened).unwrap();
        }
        prop_assert_eq!(opener.finish(&mut opened), Ok(len as u64));
        prop_assert!(opened.expose() == message);
    }
}

/// Cuts `bytes` into pieces of the given sizes, over and over.
fn in_pieces<'a>(mut bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    sizes.iter().cycle().map_while(move |size| {
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fn random_opener(data_key: &SecretKey, sealed: &[u8]) -> Result<RandomOpener, OpenFailed> {
    let (_, used) = Prologue::parse(sealed).unwrap().unwrap();
    RandomOpener::new(
        data_key,
        &sealed[..used],
        sealed[used..].first_chunk().unwrap(),
    )
}
