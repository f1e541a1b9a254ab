//! A device's way through the pair, and what the archive has of it afterwards.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use kms_client::reason::Reason;
use serde_json::{Value, json};

use crate::harness::{Stack, files_below, free_address, refused, skip, succeeded, wait_for};
use crate::servers::{ACKNOWLEDGEMENT, Server, mllp, read_mllp};

pub(crate) fn listed(stack: &Stack) -> Vec<Value> {
    let list = ["archive", "list"];
    let lines = String::from_utf8(succeeded(&list, stack.ward(&list))).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The bytes of one device and direction, joined.
pub(crate) fn joined(stack: &Stack, device: &str, direction: &str) -> Vec<u8> {
    let objects = listed(stack).into_iter();
    let mine = objects.filter(|it| it["device"] == device && it["direction"] == direction);
    mine.flat_map(|object| got(stack, object["object_id"].as_str().unwrap()))
        .collect()
}

/// The bytes of one object.
pub(crate) fn got(stack: &Stack, object_id: &str) -> Vec<u8> {
    let get = ["archive", "get", object_id];
    succeeded(&get, stack.ward(&get))
}

pub(crate) fn send_messages(address: SocketAddr, messages: &[Vec<u8>]) {
    let mut device = TcpStream::connect(address).unwrap();
    for message in messages {
        device.write_all(message).unwrap();
        assert_eq!(read_mllp(&mut device).unwrap(), mllp(ACKNOWLEDGEMENT));
    }
}

#[test]
fn both_directions_of_two_routes_are_archived() {
    let (echo, hl7) = (Server::echo(), Server::hl7());
    let (pump, monitor) = (free_address(), free_address());
    let routes = [
        format!("pump-1:tcp@{pump}={}", echo.address),
        format!("mon-1:hl7@{monitor}={}", hl7.address),
    ];
    let mut stack = Stack::up(&["--nodes", "1", "--route", &routes[0], "--route", &routes[1]]);
    assert_eq!((echo.connections(), hl7.connections()), (0, 0), "no probe");

    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    echo_whole(pump, &bytes);
    let messages: Vec<_> = (0..20).map(message).collect();
    send_messages(monitor, &messages);

    let expected = [
        ("pump-1", "to-service", bytes.clone()),
        ("pump-1", "to-device", bytes),
        ("mon-1", "to-service", messages.concat()),
        ("mon-1", "to-device", mllp(ACKNOWLEDGEMENT).repeat(20)),
    ];
    let objects = wait_for("all objects", || {
        let objects = listed(&stack);
        let whole = |(device, direction, bytes): &(&str, &str, Vec<u8>)| {
            size_of(&objects, device, direction) == bytes.len() as u64
        };
        expected.iter().all(whole).then_some(objects)
    });
    let of_monitor = objects.iter().filter(|it| it["device"] == "mon-1");
    assert_eq!(of_monitor.clone().count(), 40, "one object a message");
    for object in of_monitor {
        assert_eq!(
            (&object["complete"], &object["protocol"]),
            (&json!(true), &json!("hl7"))
        );
    }
    assert!(objects.iter().all(|it| it["key_version"] == 1));
    for (device, direction, bytes) in &expected {
        assert!(
            joined(&stack, device, direction) == *bytes,
            "{device} {direction}"
        );
    }
    refuses_and_verifies(&stack);

    stack.stop();
    let stopped = listed(&stack).len();
    assert_eq!(stopped, objects.len(), "list also works with up stopped");
    without_a_kms_no_damage_is_told(&stack);
    holds_no_canary(&stack);
}

/// Sends `bytes` and the end; both must come back.
pub(crate) fn echo_whole(address: SocketAddr, bytes: &[u8]) {
    let mut device = TcpStream::connect(address).unwrap();
    let mut writer = device.try_clone().unwrap();
    let sent = bytes.to_vec();
    let feed = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    device.read_to_end(&mut back).unwrap();
    feed.join().unwrap();
    assert!(back == bytes, "the echo came back whole, then the end");
}

pub(crate) fn message(number: usize) -> Vec<u8> {
    mllp(&format!(
        "MSH|^~\\&|MON|ICU|||20261124||ORU^R01|{number}|P|2.5\rPID|||{CANARY}\r"
    ))
}

fn size_of(objects: &[Value], device: &str, direction: &str) -> u64 {
    let mine = objects.iter().filter(|it| it["device"] == device);
    let sizes = mine.filter(|it| it["direction"] == direction);
    sizes.map(|it| it["bytes"].as_u64().unwrap()).sum()
}

fn refuses_and_verifies(stack: &Stack) {
    let verified = stack.json(&["archive", "verify"]);
    assert_eq!(
        (&verified["sound"], &verified["failed"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(verified["findings"], json!([]));
    let unknown = "00000000000000000000000000000000";
    let reason = stack.reason(&["archive", "get", unknown]);
    assert_eq!(reason, "OBJECT_NOT_FOUND");
}

fn without_a_kms_no_damage_is_told(stack: &Stack) {
    let output = stack.ward(&["--output", "json", "archive", "verify"]);
    let reason = refused(&output);
    let may_pass = |reason: &str| reason.parse::<Reason>().is_ok_and(Reason::may_pass);
    assert!(may_pass(&reason), "{reason}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["finished"], &told["failed"]),
        (&json!(false), &json!(0))
    );
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(
        !talk.contains("restore") && talk.contains("0 objects were checked"),
        "{talk}"
    );
}

fn holds_no_canary(stack: &Stack) {
    for file in files_below(&stack.dir()) {
        let content = std::fs::read(&file).unwrap();
        let mut windows = content.windows(CANARY.len());
        let canary = windows.any(|bytes| bytes == CANARY.as_bytes());
        assert!(
            !canary,
            "{} holds a patient's name in clear",
            file.display()
        );
    }
}

#[test]
fn objects_begun_a_second_after_a_rotation_use_the_new_version() {
    let hl7 = Server::hl7();
    let monitor = free_address();
    let route = format!("mon-1:hl7@{monitor}={}", hl7.address);
    let stack = Stack::up(&["--nodes", "1", "--route", &route]);
    let mut device = TcpStream::connect(monitor).unwrap();
    let mut exchange = |number| {
        device.write_all(&message(number)).unwrap();
        assert_eq!(read_mllp(&mut device).unwrap(), mllp(ACKNOWLEDGEMENT));
    };
    exchange(1);
    let versions = |count: usize| {
        wait_for("the objects", || {
            let objects = listed(&stack);
            let versions = objects.iter().map(|it| it["key_version"].as_u64().unwrap());
            (objects.len() == count).then(|| versions.collect::<Vec<_>>())
        })
    };
    assert_eq!(versions(2), [1, 1]);
    stack.json(&["key", "rotate", "device/mon-1"]);
    let rotated = sys::clock::monotonic();
    wait_for("the promised second to be over", || {
        (rotated.elapsed() >= Duration::from_secs(1)).then_some(())
    });
    // On the flow that is open, and on a new one.
    exchange(2);
    send_messages(monitor, &[message(3)]);
    assert_eq!(versions(6), [1, 1, 2, 2, 2, 2]);
    let sent: Vec<u8> = (1..=3).flat_map(message).collect();
    assert!(
        joined(&stack, "mon-1", "to-service") == sent,
        "all versions open"
    );
}

#[test]
fn a_route_may_be_of_ipv6() {
    let Ok(probe) = TcpListener::bind("[::1]:0") else {
        return skip("a route of IPv6 (this machine has none)");
    };
    let pump = probe.local_addr().unwrap();
    drop(probe);
    let echo = Server::echo_at("[::1]:0");
    let route = format!("pump-1:tcp@{pump}={}", echo.address);
    let _stack = Stack::up(&["--nodes", "1", "--route", &route]);
    echo_whole(pump, b"over IPv6");
}

#[test]
fn without_an_archive_nothing_is_kept() {
    let echo = Server::echo();
    let pump = free_address();
    let route = format!("pump-1:tcp@{pump}={}", echo.address);
    let stack = Stack::up(&["--nodes", "1", "--route", &route, "--archive", "off"]);
    let mut device = TcpStream::connect(pump).unwrap();
    device.write_all(b"ping").unwrap();
    let mut back = [0; 4];
    device.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"ping");
    drop(device);
    let segment = |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "seg");
    assert!(!files_below(&stack.dir().join("core")).iter().any(segment));
}

const CANARY: &str = "CANARY^PATIENT^XAVERIA";
