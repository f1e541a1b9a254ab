//! Observers: where objects end, that they partition the stream, and that nothing odd stops them.

use proptest::prelude::*;

use super::*;

/// An object that was cut: its bytes and its end; `None` when it is still open.
pub(super) type Object = (Vec<u8>, Option<End>);

/// Shows `stream` in chunks of the given sizes, in turn.
pub(super) fn cut_all(observer: &mut Observer, stream: &[u8], sizes: &[usize]) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = stream;
    while !rest.is_empty() {
        let (mut chunk, later) = rest.split_at(sizes.next().unwrap().clamp(1, rest.len()));
        while !chunk.is_empty() {
            let cut = observer.cut(chunk);
            if objects.last().is_none_or(|(_, end)| end.is_some()) {
                objects.push((Vec::new(), None));
            }
            let open = objects.last_mut().unwrap();
            open.0.extend_from_slice(&chunk[..cut.used]);
            open.1 = cut.end;
            assert!(
                cut.used > 0 || cut.end.is_some(),
                "an observer that does not move"
            );
            assert!(
                cut.end.is_none() || !open.0.is_empty(),
                "an object ended empty"
            );
            chunk = &chunk[cut.used..];
        }
        rest = later;
    }
    objects
}

/// Checks the objects of a stream, shown whole, in odd pieces and one byte at a time.
fn check(stream: &[u8], expected: &[(&[u8], Option<End>)]) {
    for sizes in [&[usize::MAX][..], &[3, 1, 7], &[1]] {
        let objects = cut_all(&mut Observer::new(Protocol::Hl7), stream, sizes);
        let objects: Vec<_> = objects
            .iter()
            .map(|(bytes, end)| (bytes.as_slice(), *end))
            .collect();
        assert_eq!(objects, expected, "in pieces of {sizes:?}");
    }
}

const WHOLE: Option<End> = Some(End::Complete);
const PART: Option<End> = Some(End::Incomplete);

#[test]
fn a_message_ends_at_eb_cr() {
    check(
        b"\x0bMSH|^~\\&|A\rPID|1\r\x1c\r\x0bMSH|B\r\x1c\r",
        &[
            (b"\x0bMSH|^~\\&|A\rPID|1\r\x1c\r", WHOLE),
            (b"\x0bMSH|B\r\x1c\r", WHOLE),
        ],
    );
}

#[test]
fn a_message_that_has_not_ended_stays_open() {
    check(
        b"\x0bMSH|A\r\x1c\r\x0bMSH|",
        &[(b"\x0bMSH|A\r\x1c\r", WHOLE), (b"\x0bMSH|", None)],
    );
    check(b"\x0bMSH|A\r\x1c", &[(b"\x0bMSH|A\r\x1c", None)]);
}

#[test]
fn filler_between_frames_belongs_to_the_next_message() {
    check(
        b"\0\0\x0bA\x1c\r\x0c\0\n\x0bB\x1c\r",
        &[(b"\0\0\x0bA\x1c\r", WHOLE), (b"\x0c\0\n\x0bB\x1c\r", WHOLE)],
    );
}

#[test]
fn stray_bytes_are_opaque_up_to_the_next_frame() {
    check(
        b"GET /\r\n\x0bA\x1c\r",
        &[(b"GET /\r\n", PART), (b"\x0bA\x1c\r", WHOLE)],
    );
    check(
        b"\x0bA\x1c\rjunk",
        &[(b"\x0bA\x1c\r", WHOLE), (b"junk", None)],
    );
}

#[test]
fn a_frame_inside_a_frame_cuts_the_first_short() {
    check(
        b"\x0bA\x0bB\x1c\r",
        &[(b"\x0bA", PART), (b"\x0bB\x1c\r", WHOLE)],
    );
}

#[test]
fn eb_without_cr_is_content_or_an_end_before_the_next_frame() {
    check(b"\x0bA\x1cB\x1c\r", &[(b"\x0bA\x1cB\x1c\r", WHOLE)]);
    check(b"\x0bA\x1c\x1c\r", &[(b"\x0bA\x1c\x1c\r", WHOLE)]);
    check(
        b"\x0bA\x1c\x0bB\x1c\r",
        &[(b"\x0bA\x1c", WHOLE), (b"\x0bB\x1c\r", WHOLE)],
    );
}

#[test]
fn silence_ends_everything_but_a_message() {
    let open = |stream: &[u8]| {
        let mut observer = Observer::new(Protocol::Hl7);
        cut_all(&mut observer, stream, &[usize::MAX]);
        let patient = observer.patience().is_some();
        (patient, observer.silence())
    };
    assert_eq!(open(b"\0\0"), (true, End::Complete));
    assert_eq!(open(b"stray"), (true, End::Incomplete));
    assert_eq!(open(b"\x0bA\x1c"), (true, End::Complete));
    assert!(!open(b"\x0bA").0, "a stalled message is waited for");
    assert!(!open(b"\x0bA\x1c\r").0, "nothing is open");
}

#[test]
fn the_end_of_a_direction_tells_whole_from_part() {
    let ended = |protocol, stream: &[u8], finished| {
        let mut observer = Observer::new(protocol);
        cut_all(&mut observer, stream, &[usize::MAX]);
        observer.ended(finished)
    };
    assert_eq!(ended(Protocol::Hl7, b"\x0bA", true), End::Incomplete);
    assert_eq!(ended(Protocol::Hl7, b"\x0bA\x1c", true), End::Complete);
    assert_eq!(ended(Protocol::Tcp, b"A", true), End::Complete);
    assert_eq!(ended(Protocol::Tcp, b"A", false), End::Incomplete);
}

#[test]
fn after_lost_bytes_the_next_frame_is_found_again() {
    let mut observer = Observer::new(Protocol::Hl7);
    cut_all(&mut observer, b"\x0bfirst half", &[usize::MAX]);
    assert_eq!(observer.lost(), End::Incomplete);
    let objects = cut_all(&mut observer, b"tail\x1c\r\x0bB\x1c\r", &[1]);
    assert_eq!(
        objects,
        [
            (b"tail\x1c\r".to_vec(), PART),
            (b"\x0bB\x1c\r".to_vec(), WHOLE)
        ]
    );
    assert_eq!(
        observer.oddities().framing,
        0,
        "what Ward lost is not the sender's fault"
    );
    observer.lost();
    let objects = cut_all(&mut observer, b"\x0bC\x1c\r", &[1]);
    assert_eq!(objects, [(b"\x0bC\x1c\r".to_vec(), WHOLE)]);
}

#[test]
fn what_is_not_mllp_is_given_up_and_counted() {
    let mut observer = Observer::new(Protocol::Hl7);
    let noise = b"x\x0by\x0bz".repeat(100);
    let objects = cut_all(&mut observer, &noise, &[5]);
    assert_eq!(observer.oddities().degraded, 1);
    let limit = 2 * STRIKES_MAX as usize + 1;
    assert!(objects.len() <= limit, "{} objects", objects.len());
    let open = objects.last().unwrap();
    assert!(
        open.0.len() > noise.len() - 100,
        "the rest is one opaque stretch"
    );
}

#[test]
fn a_stretch_ends_at_its_limit() {
    let stream = vec![b'x'; OPAQUE_BYTES_MAX as usize * 2 + 5];
    for protocol in [Protocol::Tcp, Protocol::Hl7, Protocol::Dicom] {
        let objects = cut_all(&mut Observer::new(protocol), &stream, &[100_000]);
        let lengths: Vec<_> = objects
            .iter()
            .map(|(bytes, _)| bytes.len() as u64)
            .collect();
        assert_eq!(
            lengths,
            [OPAQUE_BYTES_MAX, OPAQUE_BYTES_MAX, 5],
            "{protocol}"
        );
    }
}

#[test]
fn a_message_without_end_is_cut_at_its_limit() {
    let mut observer = Observer::new(Protocol::Hl7);
    let chunk = vec![b'x'; 1 << 20];
    assert_eq!(observer.cut(b"\x0b").end, None);
    let mut seen = 1;
    let cut = loop {
        let cut = observer.cut(&chunk);
        seen += cut.used as u64;
        if cut.end.is_some() {
            break cut;
        }
    };
    assert_eq!((seen, cut.end), (MESSAGE_BYTES_MAX, PART));
}

/// Bytes in which the framing is as likely as anything else.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(0x0b),
        Just(0x1c),
        Just(0x0d),
        Just(0x00),
        Just(0x0c),
        Just(b'M'),
        any::<u8>()
    ];
    proptest::collection::vec(byte, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn objects_partition_any_stream(
        stream in noise(),
        sizes in proptest::collection::vec(1_usize..64, 1..16),
    ) {
        for protocol in [Protocol::Hl7, Protocol::Dicom, Protocol::Tcp] {
            let objects = cut_all(&mut Observer::new(protocol), &stream, &sizes);
            let joined: Vec<u8> = objects.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            prop_assert_eq!(&joined, &stream);
            let whole = cut_all(&mut Observer::new(protocol), &stream, &[usize::MAX]);
            prop_assert_eq!(objects, whole, "how the bytes arrive changes the objects");
        }
    }
}
