//! What cannot be kept is recorded as a gap, and traffic never waits.

use std::time::Duration;

use envelope::segment::GapCause;
use kms_client::archive::Direction;

use super::Rig;
use super::rig::{message, until};
use crate::archive::limits::KEY_PATIENCE;
use crate::ids::Protocol;

#[test]
fn without_a_data_key_bytes_wait_and_then_become_a_gap() {
    let rig = Rig::start();
    rig.keys.withhold(true);
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(&message(1));
    let begun = sys::clock::monotonic();
    let gap = until("the gap", || rig.gaps().pop());
    assert!(begun.elapsed() + Duration::from_millis(100) >= KEY_PATIENCE);
    let lost = message(1).len() as u64;
    assert_eq!(
        (gap.gap.cause, gap.gap.ranges[0].to),
        (GapCause::NoDataKey, lost)
    );
    rig.keys.withhold(false);
    flow.taps.to_service.record(&message(2));
    rig.close(flow);
    rig.flush();
    let objects = rig.objects();
    assert_eq!((objects.len(), objects[0].offset), (1, lost));
    assert_eq!(rig.get(&objects[0]).unwrap(), message(2));
}

#[test]
fn a_data_key_that_comes_in_time_loses_nothing() {
    let rig = Rig::start();
    rig.keys.withhold(true);
    let mut flow = rig.open(Protocol::Hl7);
    for number in 0..20 {
        flow.taps.to_service.record(&message(number));
    }
    rig.close(flow);
    rig.flush();
    assert!(rig.objects().is_empty(), "nothing can be sealed yet");
    rig.keys.withhold(false);
    until("the objects", || (rig.objects().len() == 20).then_some(()));
    let sent: Vec<u8> = (0..20).flat_map(message).collect();
    assert_eq!(rig.joined(&rig.objects(), Direction::ToService), sent);
    assert!(rig.gaps().is_empty());
}

#[test]
fn a_full_queue_is_a_gap_and_the_rest_goes_on() {
    let rig = Rig::start_with(|settings| settings.queue_bytes = 10_000);
    rig.keys.withhold(true);
    let mut flow = rig.open(Protocol::Hl7);
    let sent: Vec<Vec<u8>> = (0..400).map(message).collect();
    for message in &sent {
        flow.taps.to_service.record(message);
    }
    rig.keys.withhold(false);
    until("the queue to be taken apart", || {
        (!rig.objects().is_empty()).then_some(())
    });
    rig.flush();
    flow.taps.to_service.record(&message(400));
    rig.close(flow);
    rig.flush();
    let gaps = until("the gap", || {
        Some(rig.gaps()).filter(|gaps| !gaps.is_empty())
    });
    assert!(gaps.iter().all(|gap| gap.gap.cause == GapCause::QueueFull));
    let objects = rig.objects();
    let kept: u64 = objects.iter().map(|object| object.bytes).sum();
    let lost: u64 = gaps
        .iter()
        .map(|gap| gap.gap.ranges[0].to - gap.gap.ranges[0].from)
        .sum();
    let all: usize = sent.iter().map(Vec::len).sum::<usize>() + message(400).len();
    assert_eq!(
        kept + lost,
        all as u64,
        "every byte is in an object or in a gap"
    );
    assert!(kept >= 5_000 && lost > 0);
    assert_eq!(rig.get(objects.last().unwrap()).unwrap(), message(400));
}

#[test]
fn an_abort_leaves_an_object_that_is_not_complete() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Tcp);
    flow.taps.to_service.record(b"cut");
    flow.taps.to_service.aborted();
    drop(flow.taps);
    rig.running().sink().flow_closed(flow.info.flow, false);
    rig.flush();
    let objects = rig.objects();
    assert_eq!((objects.len(), objects[0].complete), (1, false));
    assert!(rig.gaps().is_empty());
}

#[test]
fn stopping_under_open_flows_ends_them_with_a_gap() {
    let mut rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(b"\x0bhalf a message");
    rig.stop();
    let objects = rig.objects();
    assert_eq!((objects.len(), objects[0].complete), (1, false));
    assert_eq!(rig.get(&objects[0]).unwrap(), b"\x0bhalf a message");
    let gaps = rig.gaps();
    assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.gap.cause == GapCause::Shutdown));
    // Nothing that still comes can hurt.
    flow.taps.to_service.record(b"late");
    drop(flow.taps);
    rig.restart();
    rig.stop();
    assert_eq!(rig.gaps(), gaps, "the stop was clean: no further gap");
}

#[test]
fn stopping_a_flow_that_ended_without_a_data_key_loses_no_more_than_it_sent() {
    let mut rig = Rig::start();
    rig.keys.withhold(true);
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(&message(1));
    rig.close(flow);
    rig.flush();
    rig.stop();
    let gaps = rig.gaps();
    let ranges = gaps[0].gap.ranges;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(
        (ranges[0].to, ranges[1].is_empty()),
        (message(1).len() as u64, true)
    );
}

#[test]
fn a_flow_id_in_use_is_not_let_in_twice() {
    let rig = Rig::start();
    let flow = rig.open(Protocol::Hl7);
    let mut twin = rig.running().sink().flow_opened(&flow.info);
    twin.to_service.record(b"\x0bforeign\x1c\r");
    drop(twin);
    rig.close(flow);
    rig.flush();
    assert!(rig.objects().is_empty());
    let gaps = until("the note", || {
        Some(rig.gaps()).filter(|gaps| !gaps.is_empty())
    });
    assert_eq!(
        (gaps[0].gap.flows, gaps[0].gap.device.as_str()),
        (1, "mon-1")
    );
}
