//! The framing: what is written is read back over any chunking; everything else is refused.

use proptest::prelude::*;

use super::*;
use crate::limits::CONTROL_BODY_BYTES_MAX;

/// What a peer said, with pieces of DATA joined.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Data(FlowNumber, Vec<u8>),
    Control(FlowNumber, Control),
}

fn parse(bytes: &[u8], chunk: usize) -> Result<Vec<Said>, FrameError> {
    let mut parser = Parser::default();
    let mut said = Vec::new();
    for mut piece in bytes.chunks(chunk.max(1)) {
        while let Some(item) = parser.next(&mut piece)? {
            match item {
                Item::Data { flow, bytes } => match said.last_mut() {
                    Some(Said::Data(last, data)) if *last == flow => data.extend_from_slice(bytes),
                    _ => said.push(Said::Data(flow, bytes.to_vec())),
                },
                Item::Control { flow, control } => said.push(Said::Control(flow, control)),
            }
        }
    }
    Ok(said)
}

fn refusal(bytes: &[u8]) -> FrameError {
    parse(bytes, bytes.len()).unwrap_err()
}

fn open() -> Control {
    Control::Open(Open {
        flow: FlowId::from_bytes([7; 16]),
        service: "hl7@[::1]:6661".parse().unwrap(),
        protocol: Protocol::Hl7,
        source: Some("192.0.2.1:1025".parse().unwrap()),
        destination: Some("[2001:db8::1]:2575".parse().unwrap()),
    })
}

fn every_control() -> Vec<(FlowNumber, Control)> {
    let flow = FlowNumber(0x0102_0304);
    let of_flow = [
        open(),
        Control::OpenOk,
        Control::OpenRejected {
            reason: "UNAVAILABLE".into(),
            retryable: true,
        },
        Control::Fin { offset: u64::MAX },
        Control::Abort {
            reason: "RESET".into(),
        },
        Control::Ack { offset: 1 },
        Control::Resume {
            flow: FlowId::from_bytes([9; 16]),
            offset: 5,
        },
    ];
    let of_connection = [
        Control::Ping { token: [1; 8] },
        Control::Pong { token: [2; 8] },
        Control::GoAway { deadline_ms: 5_000 },
        Control::Offer {
            service: "dicom@ct-1:104".parse().unwrap(),
        },
    ];
    let of_flow = of_flow.map(|control| (flow, control));
    let of_connection = of_connection.map(|control| (FlowNumber::CONNECTION, control));
    of_flow.into_iter().chain(of_connection).collect()
}

#[test]
fn every_frame_comes_back_over_every_chunking() {
    let mut bytes = Vec::new();
    for (flow, control) in every_control() {
        write(flow, &control, &mut bytes);
    }
    for chunk in 1..bytes.len() {
        let said = parse(&bytes, chunk).unwrap();
        let wanted: Vec<_> = every_control()
            .into_iter()
            .map(|(flow, control)| Said::Control(flow, control))
            .collect();
        assert_eq!(said, wanted, "in chunks of {chunk}");
    }
}

#[test]
fn the_layout_is_frozen() {
    let mut bytes = Vec::new();
    write(FlowNumber(3), &Control::Fin { offset: 258 }, &mut bytes);
    assert_eq!(hex::encode(&bytes), "05000008000000030000000000000102");
    assert_eq!(
        hex::encode(data_header(FlowNumber(1), 16_376)),
        "04003ff800000001"
    );
    bytes.clear();
    write(FlowNumber(1), &open(), &mut bytes);
    assert_eq!(
        hex::encode(&bytes),
        "0100003d00000001070707070707070707070707070707070e686c37405b3a3a315d3a36363631\
         03686c3704c000020104010620010db80000000000000000000000010a0f"
    );
}

#[test]
fn headers_are_checked_before_their_bodies() {
    assert_eq!(
        refusal(&[0, 0, 0, 0, 0, 0, 0, 1]),
        FrameError::UnknownType(0)
    );
    assert_eq!(
        refusal(&[12, 0, 0, 0, 0, 0, 0, 1]),
        FrameError::UnknownType(12)
    );
    assert_eq!(
        refusal(&[kind::FIN, 1, 0, 8, 0, 0, 0, 1]),
        FrameError::UnknownFlags {
            kind: kind::FIN,
            flags: 1
        }
    );
    assert_eq!(
        refusal(&[kind::DATA, 0, 0, 0, 0, 0, 0, 1]),
        FrameError::BadLength {
            kind: kind::DATA,
            length: 0
        }
    );
    assert_eq!(
        refusal(&[kind::DATA, 0, 0x3f, 0xf9, 0, 0, 0, 1]),
        FrameError::BadLength {
            kind: kind::DATA,
            length: DATA_BYTES_MAX + 1
        }
    );
    assert_eq!(
        refusal(&[kind::OPEN, 0, 4, 1, 0, 0, 0, 1]),
        FrameError::BadLength {
            kind: kind::OPEN,
            length: CONTROL_BODY_BYTES_MAX + 1
        }
    );
    assert_eq!(
        refusal(&[kind::DATA, 0, 0, 1, 0, 0, 0, 0]),
        FrameError::BadFlow {
            kind: kind::DATA,
            flow: 0
        }
    );
    assert_eq!(
        refusal(&[kind::PING, 0, 0, 8, 0, 0, 0, 9]),
        FrameError::BadFlow {
            kind: kind::PING,
            flow: 9
        }
    );
}

#[test]
fn bodies_must_be_exact() {
    for (flow, control) in every_control() {
        let mut bytes = Vec::new();
        write(flow, &control, &mut bytes);
        let mut longer = bytes.clone();
        longer.push(0);
        longer[3] = longer[3].wrapping_add(1);
        assert!(
            parse(&longer, longer.len()).is_err(),
            "{control:?} with a byte too many"
        );
        if bytes.len() > FRAME_HEADER_BYTES {
            let mut shorter = bytes[..bytes.len() - 1].to_vec();
            shorter[3] = shorter[3].wrapping_sub(1);
            assert!(
                parse(&shorter, shorter.len()).is_err(),
                "{control:?} with a byte too few"
            );
        }
    }
}

#[test]
fn a_reason_carries_only_reason_letters() {
    let mut bytes = Vec::new();
    let reason = "patient Müller".to_owned();
    write(FlowNumber(1), &Control::Abort { reason }, &mut bytes);
    let said = parse(&bytes, bytes.len()).unwrap();
    assert_eq!(
        said,
        [Said::Control(
            FlowNumber(1),
            Control::Abort { reason: "M".into() }
        )]
    );
}

proptest! {
    #[test]
    fn data_comes_back_over_any_chunking(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 1..20),
        chunk in 1usize..700,
    ) {
        let mut bytes = Vec::new();
        for piece in &pieces {
            bytes.extend_from_slice(&data_header(FlowNumber(1), piece.len()));
            bytes.extend_from_slice(piece);
        }
        let said = parse(&bytes, chunk).unwrap();
        prop_assert_eq!(said, [Said::Data(FlowNumber(1), pieces.concat())]);
    }

    #[test]
    fn whatever_is_accepted_is_written_back_the_same(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut input = bytes.as_slice();
        let mut parser = Parser::default();
        while let Ok(Some(item)) = parser.next(&mut input) {
            if let Item::Control { flow, control } = item {
                let mut again = Vec::new();
                write(flow, &control, &mut again);
                let end = bytes.len() - input.len();
                prop_assert_eq!(&bytes[end - again.len()..end], again.as_slice());
            }
        }
    }
}
