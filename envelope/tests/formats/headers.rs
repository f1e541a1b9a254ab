//! What stands before an object, and the join token: parsed piece by piece, bounded, canonical.

use envelope::{
    FormatError,
    blob::{self, Purpose},
    context::EncryptionContext,
    id::{ClusterId, KeyId, KeyVersion},
    limits::TOKEN_ID_BYTES_MAX,
    object::{HEADER_MAX, PROLOGUE_BYTES_MAX, Prologue},
    secret::SecretKey,
    stream::StreamHeader,
    token::JoinToken,
};
use proptest::prelude::*;

use crate::prologue;

fn wrapped(purpose: Purpose) -> Vec<u8> {
    let context = EncryptionContext::new();
    let (key, version) = (KeyId::random(), KeyVersion(1));
    blob::seal(
        &SecretKey::generate(),
        key,
        version,
        purpose,
        &context,
        &[7; 32],
    )
    .unwrap()
}

fn token(id: &str) -> JoinToken {
    JoinToken {
        cluster_id: ClusterId::random(),
        role: 1,
        id: id.to_owned(),
        secret: SecretKey::generate(),
        ca_spki_sha256: [3; 32],
        expires_ms: 1_795_478_400_000,
    }
}

#[test]
fn a_prologue_needs_all_its_bytes_and_takes_no_more() {
    let written = prologue().encode();
    for len in 0..written.len() {
        assert!(
            matches!(Prologue::parse(&written[..len]), Ok(None)),
            "{len} bytes"
        );
    }
    let longer = [written.as_slice(), b"salt"].concat();
    let (parsed, used) = Prologue::parse(&longer).unwrap().unwrap();
    assert_eq!(used, written.len());
    assert_eq!(parsed.encode(), written);
}

#[test]
fn a_malformed_prologue_says_what_is_wrong() {
    let written = prologue().encode();
    let check = |at: usize, byte: u8| {
        let mut changed = written.clone();
        changed[at] = byte;
        Prologue::parse(&changed).unwrap_err()
    };
    assert!(matches!(check(0, b'X'), FormatError::Magic { .. }));
    assert!(matches!(check(4, 2), FormatError::Version { found: 2, .. }));
    assert!(matches!(check(5, 9), FormatError::Suite { found: 9, .. }));
    assert!(matches!(
        check(6, 1),
        FormatError::UnknownValue { field: "flags", .. }
    ));
    // A length of 4 GiB is refused at once, rather than waited for.
    assert!(matches!(check(8, 0xFF), FormatError::TooLong { .. }));
    assert_eq!(check(30, written[30] ^ 1), FormatError::DataKeyNotNamed);
    assert!(matches!(
        Prologue::parse(b"X"),
        Err(FormatError::Magic { .. })
    ));
    let mut short = written[..12].to_vec();
    short[8..].copy_from_slice(&43u32.to_be_bytes());
    assert!(matches!(
        Prologue::parse(&short),
        Err(FormatError::Truncated { .. })
    ));
}

#[test]
fn the_longest_prologue_is_as_long_as_the_limit_says() {
    let mut longest = prologue();
    let room = envelope::limits::CONTEXT_BYTES_MAX - longest.context.encode().len();
    longest.context.insert("x", "x".repeat(room - 5)).unwrap();
    assert_eq!(longest.encode().len(), PROLOGUE_BYTES_MAX);
    assert_eq!(HEADER_MAX, PROLOGUE_BYTES_MAX + 56);
    assert!(Prologue::parse(&longest.encode()).unwrap().is_some());
}

#[test]
fn a_stream_header_needs_all_its_bytes_and_takes_no_more() {
    let header = StreamHeader {
        wrapped: wrapped(Purpose::WrappedDataKey),
    };
    let written = header.write().unwrap();
    for len in 0..written.len() {
        assert!(
            matches!(StreamHeader::parse(&written[..len]), Ok(None)),
            "{len} bytes"
        );
    }
    let longer = [written.as_slice(), b"WARD"].concat();
    assert_eq!(
        StreamHeader::parse(&longer),
        Ok(Some((header, written.len())))
    );
}

#[test]
fn a_malformed_stream_header_says_what_is_wrong() {
    let written = StreamHeader {
        wrapped: wrapped(Purpose::WrappedDataKey),
    }
    .write()
    .unwrap();
    let check = |at: usize, byte: u8| {
        let mut changed = written.clone();
        changed[at] = byte;
        StreamHeader::parse(&changed).unwrap_err()
    };
    assert!(matches!(check(1, b'X'), FormatError::Magic { .. }));
    assert!(matches!(check(4, 2), FormatError::Version { found: 2, .. }));
    assert!(matches!(check(5, 0xFF), FormatError::TooLong { .. }));
    assert!(matches!(check(7, 2), FormatError::Version { found: 2, .. }));
    let data = StreamHeader {
        wrapped: wrapped(Purpose::Data),
    };
    assert!(matches!(
        data.write(),
        Err(FormatError::UnknownValue { .. })
    ));
    assert!(
        StreamHeader {
            wrapped: Vec::new()
        }
        .write()
        .is_err()
    );
}

#[test]
fn a_token_comes_back_whole() {
    for id in ["", "edge", &"x".repeat(TOKEN_ID_BYTES_MAX)] {
        let token = token(id);
        let text = token.encode().unwrap();
        let spaced = format!("  {}\n", text.as_str());
        let read = JoinToken::decode(&spaced).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.id, id);
        assert_eq!(read.secret.expose(), token.secret.expose());
        assert_eq!(read.encode().unwrap(), text);
    }
    let too_long = token(&"x".repeat(TOKEN_ID_BYTES_MAX + 1)).encode();
    assert!(matches!(too_long, Err(FormatError::TooLong { .. })));
}

#[test]
fn other_texts_are_no_tokens() {
    let text = token("edge").encode().unwrap();
    for len in 0..text.len() {
        assert!(JoinToken::decode(&text[..len]).is_err(), "{len} characters");
    }
    let longer = format!("{}AAAA", text.as_str());
    let second = text.replace("wardj1.", "wardj2.");
    let padded = format!("{}==", text.as_str());
    let endless = "wardj1.".to_owned() + &"A".repeat(1 << 20);
    for other in [
        "",
        "wardj1.",
        "wardj1.!!!!",
        &longer,
        &second,
        &padded,
        &endless,
    ] {
        assert!(JoinToken::decode(other).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_a_panic_and_back(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in ".{0,200}",
    ) {
        for magic in [b"WARD\x01\x01\0\0\0\0".as_slice(), b"WSTR\x01", b""] {
            let bytes = [magic, &bytes].concat();
            if let Ok(Some((prologue, used))) = Prologue::parse(&bytes) {
                prop_assert_eq!(prologue.encode(), &bytes[..used]);
            }
            if let Ok(Some((header, used))) = StreamHeader::parse(&bytes) {
                prop_assert_eq!(header.write().unwrap(), &bytes[..used]);
            }
        }
        let prefixed = "wardj1.".to_owned() + &text;
        prop_assert!(JoinToken::decode(&text).is_err());
        prop_assert!(JoinToken::decode(&prefixed).is_err());
    }
}
