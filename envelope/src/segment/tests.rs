//! Segments and side-cars: round trips, a frozen vector, torn tails and every flipped bit.

use proptest::prelude::*;

use super::*;
use crate::FormatError;
use crate::context::{EncryptionContext, reserved};
use crate::id::{DataKeyId, FlowId, ObjectId, SegmentId};

fn flow() -> FlowId {
    FlowId::from_bytes([0xf1; 16])
}

fn object() -> ObjectId {
    ObjectId::from_bytes([0x0b; 16])
}

/// One entry of every kind.
fn every_kind() -> Vec<Entry<'static>> {
    let trailer = Trailer {
        plaintext_bytes: 9,
        ended_ms: 1_700_000_000_500,
        complete: true,
    };
    let opened = FlowOpened {
        carried: false,
        at_ms: 1_700_000_000_000,
        covered: [0, 7],
        open: [None, Some(object())],
        device: "mon-1".into(),
        protocol: "hl7".into(),
        service: "hl7@127.0.0.1:6661".into(),
    };
    let gap = Gap {
        cause: GapCause::QueueFull,
        from_ms: 1,
        to_ms: 2,
        ranges: [
            Range { from: 5, to: 9 },
            Range {
                from: 7,
                to: UNKNOWN_OFFSET,
            },
        ],
        flows: 0,
        device: "mon-1".into(),
    };
    let closed = FlowClosed {
        at_ms: 3,
        cause: CloseCause::Lost,
        bytes: [9, 8],
    };
    let part = |first, bytes, trailer| {
        Entry::Fragment(Fragment {
            object: object(),
            first,
            bytes,
            trailer,
        })
    };
    vec![
        Entry::FlowOpened(flow(), opened.clone()),
        Entry::FlowOpened(
            flow(),
            FlowOpened {
                carried: true,
                ..opened
            },
        ),
        part(true, b"WARD...", None),
        part(false, b"sealed", None),
        part(false, b"end", Some(trailer)),
        Entry::Gap(flow(), gap),
        Entry::FlowClosed(flow(), closed),
        Entry::Mark(Mark { at_ms: 4 }),
    ]
}

fn encode(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        append(&mut out, entry);
    }
    out
}

/// Takes as many whole entries off as there are; the rest is the torn tail.
fn decode_all(mut bytes: &[u8]) -> (Vec<Entry<'_>>, usize, Option<FormatError>) {
    let (mut entries, mut used) = (Vec::new(), 0);
    loop {
        match decode(bytes) {
            Ok(Some((entry, length))) => {
                entries.push(entry);
                used += length;
                bytes = &bytes[length..];
            }
            Ok(None) => return (entries, used, None),
            Err(error) => return (entries, used, Some(error)),
        }
    }
}

#[test]
fn every_entry_comes_back() {
    let entries = every_kind();
    let bytes = encode(&entries);
    assert_eq!(decode_all(&bytes), (entries, bytes.len(), None));
}

#[test]
fn a_tail_torn_at_any_byte_leaves_the_entries_before_it() {
    let entries = every_kind();
    let bytes = encode(&entries);
    for length in 0..bytes.len() {
        let (left, used, error) = decode_all(&bytes[..length]);
        assert_eq!(error, None, "cut at {length}");
        assert_eq!(left, entries[..left.len()], "cut at {length}");
        assert!(used <= length && left.len() < entries.len());
    }
}

#[test]
fn a_tail_of_zeros_is_no_entry() {
    let mut bytes = encode(&every_kind());
    let whole = bytes.len();
    bytes.resize(whole + 4096, 0);
    let (entries, used, error) = decode_all(&bytes);
    assert_eq!((entries.len(), used), (every_kind().len(), whole));
    assert!(error.is_some());
}

#[test]
fn every_flipped_bit_is_noticed() {
    for entry in every_kind() {
        let bytes = encode(std::slice::from_ref(&entry));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let read = decode(&changed);
            assert!(
                !matches!(read, Ok(Some(_))),
                "bit {bit} of {entry:?} went unnoticed"
            );
        }
    }
}

#[test]
fn flags_belong_to_their_kinds() {
    let mark = encode(&[Entry::Mark(Mark { at_ms: 4 })]);
    for flags in [1, 2, 4, 0x80] {
        let mut header = *mark.first_chunk::<ENTRY_HEADER_BYTES>().unwrap();
        header[1] = flags;
        assert!(EntryHeader::parse(&header).is_err(), "flags {flags:#x}");
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_it_is_allocated() {
    let mut bytes = encode(&every_kind()[2..3]);
    bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(decode(&bytes).is_err());
}

#[test]
fn a_long_name_is_cut_at_a_character() {
    let Entry::Gap(flow, mut gap) = every_kind().swap_remove(5) else {
        unreachable!()
    };
    gap.device = "é".repeat(TEXT_BYTES_MAX);
    let bytes = encode(&[Entry::Gap(flow, gap)]);
    let Ok(Some((Entry::Gap(_, read), _))) = decode(&bytes) else {
        panic!("not read back")
    };
    assert_eq!(read.device, "é".repeat(TEXT_BYTES_MAX / 2));
}

#[test]
fn the_vector_is_frozen() {
    let header = SegmentHeader {
        segment_id: SegmentId::from_bytes([0x5e; 16]),
        created_ms: 0x0102_0304,
    };
    assert_eq!(
        hex::encode(header.encode()),
        "5753454701000000".to_owned() + &"5e".repeat(16) + "0000000001020304"
    );
    assert_eq!(SegmentHeader::parse(&header.encode()).unwrap(), header);
    let vector: String = include_str!("vector.hex").split_whitespace().collect();
    assert_eq!(hex::encode(encode(&every_kind())), vector);
}

#[test]
fn headers_of_other_files_and_newer_versions_are_refused() {
    let header = SegmentHeader {
        segment_id: SegmentId::random(),
        created_ms: 7,
    };
    for (at, value) in [(0, b'w'), (4, 2), (4, 0), (5, 1), (7, 1)] {
        let mut bytes = header.encode();
        bytes[at] = value;
        assert!(SegmentHeader::parse(&bytes).is_err(), "byte {at} = {value}");
    }
}

fn side_car() -> SideCar {
    let key = |number: u8| {
        let data_key_id = DataKeyId::from_bytes([number; 16]);
        let mut context = EncryptionContext::new();
        context
            .insert_reserved(reserved::DATA_KEY, data_key_id.to_string())
            .unwrap();
        SideCarKey {
            data_key_id,
            wrapped: vec![number; 136],
            context,
        }
    };
    SideCar {
        segment_id: SegmentId::from_bytes([0x5e; 16]),
        keys: (0..3).map(key).collect(),
    }
}

#[test]
fn the_side_cars_vector_is_frozen() {
    let vector: String = include_str!("side_car.hex").split_whitespace().collect();
    assert_eq!(hex::encode(side_car().encode()), vector);
}

#[test]
fn a_side_car_comes_back_and_finds_its_keys() {
    let car = side_car();
    let read = SideCar::decode(&car.encode()).unwrap();
    assert_eq!(read, car);
    assert_eq!(
        read.find(&DataKeyId::from_bytes([2; 16])),
        Some(&car.keys[2])
    );
    assert_eq!(read.find(&DataKeyId::from_bytes([9; 16])), None);
}

#[test]
fn a_changed_or_cut_side_car_is_refused() {
    let bytes = side_car().encode();
    for length in 0..bytes.len() {
        assert!(
            SideCar::decode(&bytes[..length]).is_err(),
            "cut at {length}"
        );
    }
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(SideCar::decode(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn file_names_sort_and_come_back() {
    assert_eq!(segment_name(255), "00000000000000ff.seg");
    assert_eq!(side_car_name(255), "00000000000000ff.keys");
    assert_eq!(sequence_of("00000000000000ff.seg"), Some(255));
    for other in [
        "ff.seg",
        "00000000000000FF.seg",
        "00000000000000ff.keys",
        ".seg",
        "lock",
    ] {
        assert_eq!(sequence_of(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn what_parses_is_written_back_the_same(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(Some((entry, length))) = decode(&bytes) {
            prop_assert_eq!(encode(&[entry]), &bytes[..length]);
        }
        if let Ok(car) = SideCar::decode(&bytes) {
            prop_assert_eq!(car.encode(), bytes);
        }
    }
}
