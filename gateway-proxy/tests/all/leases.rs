//! Gateways as real processes that never hear of the KMS again: they obey the orders they know, and
//! forward nothing once the time is over up to which they may, whatever they are doing then.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kms_client::model::ContainLevel;
use rustix::process::Signal;

use crate::house::{HOUR, House, get, start};
use crate::pair::until;

/// Long enough for two processes to start on a busy machine.
const A_WHILE: Duration = Duration::from_secs(5);

#[test]
fn without_the_kms_nothing_is_carried_against_an_order_that_was_kept() {
    let house = House::new();
    let lease = Some(sys::clock::boottime());
    house.keep("core", lease, ContainLevel::Isolate, HOUR);
    let (_edge, _core) = house.start_both();
    house.refused();
    let metrics = get(house.core_ops, "/metrics").unwrap();
    assert!(
        metrics.contains("refused_total{reason=\"DEVICE_CONTAINED\"} 1"),
        "{metrics}"
    );
}

#[test]
fn who_has_never_had_a_lease_carries_nothing_and_is_not_ready() {
    let house = House::new();
    house.keep("edge", None, ContainLevel::None, HOUR);
    let _edge = start(&house.config("edge"), &[]);
    until("the edge lives", || {
        get(house.edge_ops, "/live").filter(|page| page.contains("200"))
    });
    house.refused();
    let metrics = get(house.edge_ops, "/metrics").unwrap();
    assert!(
        metrics.contains("refused_total{reason=\"NO_LEASE\"} 1"),
        "{metrics}"
    );
    assert!(get(house.edge_ops, "/ready").unwrap().contains("503"));
}

#[test]
fn cut_off_from_the_kms_a_gateway_goes_on_for_the_allowance_and_then_stops() {
    let house = House::new();
    let lease = sys::clock::boottime();
    house.keep("edge", Some(lease), ContainLevel::None, A_WHILE);
    let (_edge, _core) = house.start_both();
    let (mut idle, mut idle_server) = house.connect();
    let (mut device, mut server) = house.connect();
    // One byte after another, as fast as they are answered.
    let error = loop {
        let sent = sys::clock::boottime();
        if let Err(error) = device.write_all(b"x") {
            break error;
        }
        match server.read(&mut [0]) {
            Ok(1) => assert!(sent < lease + A_WHILE, "sent too late, and forwarded"),
            Ok(_) => panic!("a cut stream ended cleanly"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(
        sys::clock::boottime() >= lease + A_WHILE,
        "cut before its time"
    );
    for end in [&mut idle, &mut idle_server] {
        let error = end.read(&mut [0]).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::ConnectionReset,
            "an idle flow is swept"
        );
    }
    house.refused();
}

/// A paused process cannot look at a timer; what it forwards after the pause is looked at when it
/// is written.
#[test]
fn paused_beyond_its_time_a_gateway_forwards_nothing() {
    for victim in ["edge", "core"] {
        let house = House::new();
        let lease = sys::clock::boottime() + A_WHILE;
        house.keep(victim, Some(lease), ContainLevel::None, Duration::ZERO);
        let (edge, core) = house.start_both();
        let flows: Vec<_> = (0..8).map(|_| house.connect()).collect();
        let paused = if victim == "edge" { &edge } else { &core };
        paused.signal(Signal::STOP);
        assert!(
            sys::clock::boottime() < lease,
            "the machine is too slow for this test"
        );
        until("its time is over", || {
            (sys::clock::boottime() > lease).then_some(())
        });
        for (device, server) in &flows {
            (&mut &*device).write_all(&[1; 4096]).unwrap();
            (&mut &*server).write_all(&[2; 4096]).unwrap();
        }
        paused.signal(Signal::CONT);
        for (device, server) in flows {
            for (name, mut end) in [("device", device), ("server", server)] {
                let mut heard = Vec::new();
                let error = end.read_to_end(&mut heard).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{victim}, {name}");
                assert!(
                    heard.is_empty(),
                    "{victim}: the {name} got {} bytes",
                    heard.len()
                );
            }
        }
    }
}

#[test]
fn paused_while_it_streams_a_gateway_completes_one_write_at_most() {
    for victim in ["edge", "core"] {
        let house = House::new();
        let lease = sys::clock::boottime() + A_WHILE;
        house.keep(victim, Some(lease), ContainLevel::None, Duration::ZERO);
        let (edge, core) = house.start_both();
        let (mut device, mut server) = house.connect();
        let sender = std::thread::spawn(move || while device.write_all(&[1; 1 << 16]).is_ok() {});
        let total = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&total);
        let reader = std::thread::spawn(move || {
            let mut place = vec![0; 1 << 18];
            loop {
                match server.read(&mut place) {
                    Ok(count @ 1..) => counted.fetch_add(count, Ordering::SeqCst),
                    Ok(0) => panic!("a cut stream ended cleanly"),
                    Err(error) => return error.kind(),
                };
            }
        });
        let now = || total.load(Ordering::SeqCst);
        until("it streams", || (now() > 8 << 20).then_some(()));
        let paused = if victim == "edge" { &edge } else { &core };
        paused.signal(Signal::STOP);
        assert!(
            sys::clock::boottime() < lease,
            "the machine is too slow for this test"
        );
        // What it had written before goes on arriving.
        let mut before = (now(), sys::clock::boottime());
        until("its time is over and nothing arrives", || {
            if now() != before.0 {
                before = (now(), sys::clock::boottime());
            }
            let quiet_since = lease.max(before.1);
            let quiet_for = sys::clock::boottime().saturating_sub(quiet_since);
            (quiet_for > Duration::from_millis(300)).then_some(())
        });
        paused.signal(Signal::CONT);
        assert_eq!(reader.join().unwrap(), ErrorKind::ConnectionReset);
        sender.join().unwrap();
        let after = now() - before.0;
        assert!(
            after <= WRITE_BYTES_MAX,
            "{victim}: {after} bytes after its time"
        );
    }
}

/// What one write of a pump moves at most: a full read, and the frames around it.
const WRITE_BYTES_MAX: usize = 256 * 1024 + 1024;
