//! DICOM's upper layer: where objects end, what is said of them in clear and what never is, and
//! that nothing odd stops the bytes.

use proptest::prelude::*;

use super::tests::{Object, cut_all};
use super::*;

/// A PDU of this type.
pub(crate) fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&[kind, 0], &length.to_be_bytes()[..], body].concat()
}

/// A fragment; `flags`: 1 command, 2 last.
fn pdv(context: u8, flags: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len() + 2).unwrap();
    [&length.to_be_bytes()[..], &[context, flags], bytes].concat()
}

fn element(element: u16, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap();
    let head = [[0, 0], element.to_le_bytes()].concat();
    [&head, &length.to_le_bytes()[..], value].concat()
}

/// A command set: kind, SOP class, whether a data set follows; and a name that must not be told.
fn command(field: u16, class: &str, data_set: bool) -> Vec<u8> {
    let follows: u16 = if data_set { 0x0001 } else { 0x0101 };
    [
        element(0x0000, &100_u32.to_le_bytes()),
        element(0x0002, class.as_bytes()),
        element(0x0100, &field.to_le_bytes()),
        element(0x0110, &7_u16.to_le_bytes()),
        element(0x0800, &follows.to_le_bytes()),
        element(0x1000, INSTANCE.as_bytes()),
    ]
    .concat()
}

fn item(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&[kind, 0], &length.to_be_bytes()[..], body].concat()
}

/// An A-ASSOCIATE-RQ (1) or -AC (2) with so many presentation contexts, and a user's password.
pub(crate) fn associate(kind: u8, contexts: usize) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 0];
    body.extend_from_slice(b"PACS            ");
    body.extend_from_slice(b"CT-1            ");
    body.extend_from_slice(&[0; 32]);
    body.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    for number in 0..contexts {
        let class = if number % 2 == 0 { STORE } else { ECHO };
        let syntaxes = [
            item(0x30, class.as_bytes()),
            item(0x40, b"1.2.840.10008.1.2"),
        ]
        .concat();
        let id = (2 * number + 1) as u8;
        let context = [&[id, 0, 0, 0], &syntaxes[..]].concat();
        body.extend(item(if kind == 1 { 0x20 } else { 0x21 }, &context));
    }
    // User identity: user name and pass code, in the clear on the wire.
    let identity = [&[2, 0, 0, 5], &b"smith"[..], &[0, 6], &b"secret"[..]].concat();
    let user = [item(0x51, &[0, 0, 64, 0]), item(0x58, &identity)].concat();
    body.extend(item(0x50, &user));
    pdu(kind, &body)
}

/// A C-STORE-RQ in PDUs whose fragments have at most `room` bytes of data set.
pub(crate) fn store(data_set: &[u8], room: usize) -> Vec<u8> {
    let mut stream = pdu(4, &pdv(1, 3, &command(0x0001, STORE, true)));
    let fragments: Vec<_> = data_set.chunks(room).collect();
    for (number, fragment) in fragments.iter().enumerate() {
        let last = number + 1 == fragments.len();
        stream.extend(pdu(4, &pdv(1, if last { 2 } else { 0 }, fragment)));
    }
    stream
}

/// An association as a device speaks it.
pub(crate) fn conversation() -> Vec<Vec<u8>> {
    let echo = pdu(4, &pdv(3, 3, &command(0x0030, ECHO, false)));
    let image = store(&vec![0x55; 40_000], 16_000);
    vec![associate(1, 2), echo, image, pdu(5, &[0; 4])]
}

/// The objects of a stream with what is said of each, however the bytes come.
#[track_caller]
fn labelled(stream: &[u8]) -> Vec<(Object, Label)> {
    let seen = |sizes: &[usize]| {
        let mut observer = Observer::new(Protocol::Dicom);
        let mut objects = Vec::new();
        let mut sizes = sizes.iter().copied().cycle();
        let (mut at, mut from) = (0, 0);
        while at < stream.len() {
            let size = sizes.next().unwrap().min(stream.len() - at);
            let cut = observer.cut(&stream[at..at + size]);
            at += cut.used;
            if cut.end.is_some() {
                let label = observer.label_so_far().clone();
                objects.push(((stream[from..at].to_vec(), cut.end), label));
                from = at;
            }
        }
        if from < at {
            let label = observer.label_so_far().clone();
            objects.push(((stream[from..].to_vec(), None), label));
        }
        objects
    };
    let whole = seen(&[usize::MAX]);
    for sizes in [&[3, 1, 7][..], &[1], &[6]] {
        assert!(seen(sizes) == whole, "in pieces of {sizes:?}");
    }
    whole
}

fn said(label: &Label) -> Vec<String> {
    label
        .pairs()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

#[test]
fn each_message_and_each_control_pdu_is_one_object() {
    let parts = conversation();
    let objects = labelled(&parts.concat());
    let bytes: Vec<_> = objects
        .iter()
        .map(|((bytes, _), _)| bytes.clone())
        .collect();
    assert_eq!(bytes, parts);
    assert!(objects.iter().all(|((_, end), _)| *end == WHOLE));
}

#[test]
fn titles_classes_and_kinds_are_said_and_nothing_else() {
    let objects = labelled(&conversation().concat());
    let (called, calling) = ("ward:called-ae=PACS", "ward:calling-ae=CT-1");
    let expected: [&[&str]; 4] = [
        &[
            "ward:message=A-ASSOCIATE-RQ",
            called,
            calling,
            BOTH_SYNTAXES,
        ],
        &[
            called,
            calling,
            "ward:message=C-ECHO-RQ",
            "ward:sop-class=1.2.840.10008.1.1",
        ],
        &[
            called,
            calling,
            "ward:message=C-STORE-RQ",
            "ward:sop-class=1.2.840.10008.5.1.4.1.1.2",
        ],
        &[called, calling, "ward:message=A-RELEASE-RQ"],
    ];
    for ((_, label), expected) in objects.iter().zip(expected) {
        assert_eq!(said(label), expected);
    }
    let everything = format!(
        "{objects:?}",
        objects = objects.iter().map(|it| &it.1).collect::<Vec<_>>()
    );
    for secret in ["smith", "secret", INSTANCE] {
        assert!(!everything.contains(secret), "{secret} is in a label");
    }
}

#[test]
fn an_accepted_association_names_the_same_titles() {
    let objects = labelled(&associate(2, 2));
    assert_eq!(
        said(&objects[0].1),
        [
            "ward:message=A-ASSOCIATE-AC",
            "ward:called-ae=PACS",
            "ward:calling-ae=CT-1"
        ]
    );
}

#[test]
fn titles_and_uids_that_are_none_are_not_said() {
    let mut odd = associate(1, 1);
    odd[10..26].copy_from_slice(b"M\xfcller          ");
    odd[26..42].copy_from_slice(&[b' '; 16]);
    let message = pdu(4, &pdv(1, 3, &command(0x0030, "1.2.840 DOE^JOHN", false)));
    let objects = labelled(&[odd, message].concat());
    let everything: Vec<_> = objects.iter().flat_map(|(_, label)| said(label)).collect();
    let syntax = format!("ward:abstract-syntaxes={STORE}");
    assert_eq!(
        everything,
        [
            "ward:message=A-ASSOCIATE-RQ",
            &syntax,
            "ward:message=C-ECHO-RQ"
        ]
    );
}

#[test]
fn a_message_may_begin_behind_another_in_one_pdu() {
    let first = [
        pdv(1, 3, &command(0x0001, STORE, true)),
        pdv(1, 2, b"image"),
    ]
    .concat();
    let second = pdv(1, 3, &command(0x0030, ECHO, false));
    let stream = pdu(4, &[first.clone(), second.clone()].concat());
    let objects = labelled(&stream);
    let expected = [[&stream[..6], &first].concat(), second];
    let bytes: Vec<_> = objects
        .iter()
        .map(|((bytes, _), _)| bytes.clone())
        .collect();
    assert_eq!(bytes, expected);
    assert_eq!(said(&objects[1].1)[0], "ward:message=C-ECHO-RQ");
}

#[test]
fn fragments_of_interleaved_messages_are_one_object() {
    let fragments = [
        pdv(1, 3, &command(0x0001, STORE, true)),
        pdv(3, 3, &command(0x0001, STORE, true)),
        pdv(1, 0, b"one"),
        pdv(3, 2, b"two"),
        pdv(1, 2, b"one"),
    ];
    let stream = [pdu(4, &fragments.concat()), pdu(5, &[0; 4])].concat();
    let objects = labelled(&stream);
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0].0.0.len(), stream.len() - 10);
}

#[test]
fn a_command_set_in_fragments_is_read_as_one() {
    let whole = command(0x8001, STORE, false);
    let (head, tail) = whole.split_at(21);
    let stream = [pdu(4, &pdv(1, 1, head)), pdu(4, &pdv(1, 3, tail))].concat();
    let objects = labelled(&stream);
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].0.1, WHOLE);
    assert_eq!(said(&objects[0].1)[0], "ward:message=C-STORE-RSP");
}

#[test]
fn an_abort_cuts_a_message_short() {
    let mut stream = store(&[1; 100], 50);
    stream.truncate(stream.len() - 62);
    let cut_at = stream.len();
    stream.extend(pdu(7, &[0; 4]));
    let objects = labelled(&stream);
    assert_eq!(objects[0].0, (stream[..cut_at].to_vec(), PART));
    assert_eq!(objects[1].0, (stream[cut_at..].to_vec(), WHOLE));
}

#[test]
fn what_cannot_be_followed_is_opaque_and_counted() {
    let release = pdu(5, &[0; 4]);
    let oddities: [(&str, Vec<u8>); 9] = [
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a release of another length", pdu(5, &[0; 5])),
        ("an association without titles", pdu(1, &[0; 20])),
        ("a PDU of 4 GiB", vec![4, 0, 0xff, 0xff, 0xff, 0xff, 1, 1]),
        ("no fragment in a PDU", pdu(4, &[])),
        ("a fragment beyond its PDU", pdu(4, &[0, 0, 1, 0, 1, 3, 0])),
        (
            "an even context",
            pdu(4, &pdv(2, 3, &command(0x0030, ECHO, false))),
        ),
        (
            "a data set without a command set",
            pdu(4, &pdv(1, 2, b"data")),
        ),
        (
            "a command set that is none",
            pdu(4, &pdv(1, 3, b"no elements here")),
        ),
    ];
    for (what, odd) in oddities {
        let stream = [release.clone(), odd, release.repeat(3)].concat();
        let mut observer = Observer::new(Protocol::Dicom);
        let objects = cut_all(&mut observer, &stream, &[usize::MAX]);
        assert_eq!(objects[0], (release.clone(), WHOLE), "{what}");
        assert_eq!(observer.oddities().degraded, 1, "{what}");
        assert!(
            objects.last().unwrap().1.is_none(),
            "{what}: the rest is one stretch"
        );
        assert!(observer.patience().is_some(), "{what}: silence ends it");
        let joined: Vec<u8> = objects
            .iter()
            .flat_map(|(bytes, _)| bytes.clone())
            .collect();
        assert_eq!(joined, stream, "{what}");
    }
}

#[test]
fn more_contexts_than_there_can_be_are_counted_and_followed() {
    for (contexts, odd) in [(128, 0), (129, 1)] {
        let stream = [associate(1, contexts), pdu(5, &[0; 4])].concat();
        let mut observer = Observer::new(Protocol::Dicom);
        assert_eq!(cut_all(&mut observer, &stream, &[usize::MAX]).len(), 2);
        let Oddities { framing, degraded } = observer.oddities();
        assert_eq!((framing, degraded), (odd, 0));
    }
}

#[test]
fn a_message_beyond_the_limit_is_several_objects_and_is_followed() {
    let mut observer = Observer::new(Protocol::Dicom);
    cut_all(
        &mut observer,
        &pdu(4, &pdv(1, 3, &command(0x0001, STORE, true))),
        &[usize::MAX],
    );
    let room = 1 << 20;
    let more = pdu(4, &pdv(1, 0, &vec![9; room]));
    let mut parts = Vec::new();
    for _ in 0..=MESSAGE_BYTES_MAX as usize / room {
        let mut rest = &more[..];
        while !rest.is_empty() {
            let cut = observer.cut(rest);
            rest = &rest[cut.used..];
            parts.extend(cut.end.map(|end| (end, said(observer.label_so_far()))));
        }
    }
    assert_eq!(parts.len(), 1);
    assert_eq!(
        (parts[0].0, parts[0].1[0].as_str()),
        (End::Incomplete, "ward:message=C-STORE-RQ")
    );
    let last = cut_all(&mut observer, &pdu(4, &pdv(1, 2, b"end")), &[usize::MAX]);
    assert_eq!(last[0].1, WHOLE);
    assert_eq!(said(observer.label_so_far())[0], "ward:message=C-STORE-RQ");
    assert_eq!(observer.oddities(), Oddities::default());
}

#[test]
fn after_lost_bytes_the_rest_is_opaque_and_nobody_is_blamed() {
    let mut observer = Observer::new(Protocol::Dicom);
    let stream = conversation().concat();
    cut_all(&mut observer, &stream[..100], &[usize::MAX]);
    assert_eq!(observer.lost(), End::Incomplete);
    let objects = cut_all(&mut observer, &stream, &[usize::MAX]);
    assert_eq!(objects, [(stream, None)]);
    assert_eq!(observer.oddities(), Oddities::default());
}

#[test]
fn a_message_that_stalls_is_waited_for_and_one_that_was_cut_is_a_part() {
    let stream = store(&[1; 100], 50);
    let mut observer = Observer::new(Protocol::Dicom);
    cut_all(&mut observer, &stream[..stream.len() - 1], &[usize::MAX]);
    assert!(observer.patience().is_none());
    assert_eq!(observer.ended(true), End::Incomplete);
}

/// A stream of PDUs, some of them damaged.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(associate(1, 3)),
        Just(associate(2, 1)),
        Just(pdu(4, &pdv(3, 3, &command(0x0030, ECHO, false)))),
        (0_usize..300, 1_usize..90).prop_map(|(length, room)| store(&vec![7; length.max(1)], room)),
        Just(pdu(7, &[0; 4])),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    let parts = proptest::collection::vec(part, 0..8);
    let flips = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (parts, flips).prop_map(|(parts, flips)| {
        let mut stream = parts.concat();
        for (at, byte) in flips {
            if !stream.is_empty() {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn objects_partition_any_stream_however_it_comes(
        stream in damaged(),
        sizes in proptest::collection::vec(1_usize..64, 1..16),
    ) {
        let whole = cut_all(&mut Observer::new(Protocol::Dicom), &stream, &[usize::MAX]);
        let joined: Vec<u8> = whole.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        prop_assert_eq!(&joined, &stream);
        let pieces = cut_all(&mut Observer::new(Protocol::Dicom), &stream, &sizes);
        prop_assert_eq!(pieces, whole);
    }
}

const WHOLE: Option<End> = Some(End::Complete);
const PART: Option<End> = Some(End::Incomplete);
const STORE: &str = "1.2.840.10008.5.1.4.1.1.2";
const ECHO: &str = "1.2.840.10008.1.1";
const BOTH_SYNTAXES: &str = "ward:abstract-syntaxes=1.2.840.10008.5.1.4.1.1.2 1.2.840.10008.1.1";
/// One examination's image: not for labels.
const INSTANCE: &str = "1.2.826.0.1.3680043.8.498.4711";
