//! The rules of a flow: whose turn it is, what adds up, what is stale.

use super::*;
use crate::ids::{FlowId, Protocol};

const FIRST: FlowNumber = FlowNumber(1);
const SECOND: FlowNumber = FlowNumber(2);

fn data(flow: FlowNumber, bytes: &'static [u8]) -> Item<'static> {
    Item::Data { flow, bytes }
}

fn control(flow: FlowNumber, control: Control) -> Item<'static> {
    Item::Control { flow, control }
}

fn open(flow: FlowNumber) -> Item<'static> {
    let open = Open {
        flow: FlowId::from_bytes([1; 16]),
        service: "s".parse().unwrap(),
        protocol: Protocol::Tcp,
        source: None,
        destination: None,
    };
    control(flow, Control::Open(open))
}

fn core_with_a_flow() -> Inbox {
    let mut inbox = Inbox::new(End::Core);
    inbox.put(open(FIRST)).unwrap();
    assert_eq!(inbox.accept().unwrap().0, FIRST);
    inbox
}

#[test]
fn stale_frames_are_dropped_and_counted() {
    let mut inbox = core_with_a_flow();
    inbox.end();
    inbox.put(data(FIRST, b"late")).unwrap();
    inbox
        .put(control(FIRST, Control::Fin { offset: 4 }))
        .unwrap();
    inbox
        .put(control(
            FIRST,
            Control::Abort {
                reason: "RESET".into(),
            },
        ))
        .unwrap();
    assert_eq!(inbox.stale, 3);
    inbox.put(open(SECOND)).unwrap();
    inbox.accept().unwrap();
    inbox.put(data(FIRST, b"later still")).unwrap();
    inbox.put(data(SECOND, b"new")).unwrap();
    assert_eq!(inbox.flow().unwrap().data.filled(), b"new");
    assert_eq!(inbox.stale, 4);
}

#[test]
fn the_connection_itself_may_be_unwanted() {
    let mut edge = Inbox::new(End::Edge);
    edge.offer();
    let reason = "SERVICE_UNKNOWN".to_owned();
    let unwanted = Control::Abort { reason };
    edge.put(control(FlowNumber::CONNECTION, unwanted)).unwrap();
    assert_eq!(edge.aborted.as_deref(), Some("SERVICE_UNKNOWN"));
    assert_eq!(edge.stale, 0);
}

#[test]
fn the_next_flow_may_come_before_the_last_one_was_put_away() {
    let mut inbox = core_with_a_flow();
    inbox
        .put(control(FIRST, Control::Fin { offset: 0 }))
        .unwrap();
    inbox
        .put(control(FIRST, Control::Ack { offset: 0 }))
        .unwrap();
    inbox.put(open(SECOND)).unwrap();
    inbox.put(data(SECOND, b"pipelined")).unwrap();
    assert_eq!(inbox.flow().unwrap().acknowledged, Some(0));
    inbox.end();
    assert_eq!(inbox.accept().unwrap().0, SECOND);
    assert_eq!(inbox.flow().unwrap().data.filled(), b"pipelined");
}

#[test]
fn a_flow_is_not_opened_into_another() {
    let mut inbox = core_with_a_flow();
    assert_eq!(inbox.put(open(SECOND)), Err(Misbehaved::OutOfTurn));
}

#[test]
fn numbers_only_rise() {
    let mut inbox = core_with_a_flow();
    inbox.end();
    assert_eq!(inbox.put(open(FIRST)), Err(Misbehaved::OutOfTurn));
}

#[test]
fn a_stream_must_add_up() {
    let mut inbox = core_with_a_flow();
    inbox.put(data(FIRST, b"four")).unwrap();
    let short = inbox.put(control(FIRST, Control::Fin { offset: 3 }));
    assert_eq!(short, Err(Misbehaved::BadStream));
    let mut inbox = core_with_a_flow();
    inbox
        .put(control(FIRST, Control::Fin { offset: 0 }))
        .unwrap();
    assert_eq!(inbox.put(data(FIRST, b"x")), Err(Misbehaved::BadStream));
    let again = inbox.put(control(FIRST, Control::Fin { offset: 0 }));
    assert_eq!(again, Err(Misbehaved::BadStream));
}

#[test]
fn each_side_says_only_its_own() {
    let mut edge = Inbox::new(End::Edge);
    let number = edge.begin().unwrap();
    assert_eq!(edge.put(open(SECOND)), Err(Misbehaved::WrongSide));
    edge.put(control(number, Control::OpenOk)).unwrap();
    assert_eq!(
        edge.put(control(number, Control::OpenOk)),
        Err(Misbehaved::Repeated)
    );
    let mut core = core_with_a_flow();
    assert_eq!(
        core.put(control(FIRST, Control::OpenOk)),
        Err(Misbehaved::WrongSide)
    );
}
