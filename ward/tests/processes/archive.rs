//! A device's way through the pair, and what the archive has of it afterwards.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::harness::{Stack, files_below, free_address, succeeded, wait_for};
use crate::servers::{ACKNOWLEDGEMENT, Server, mllp, read_mllp};

fn listed(stack: &Stack) -> Vec<Value> {
    let list = ["archive", "list"];
    let lines = String::from_utf8(succeeded(&list, stack.ward(&list))).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The bytes of one device and direction, joined.
fn joined(stack: &Stack, device: &str, direction: &str) -> Vec<u8> {
    let objects = listed(stack).into_iter();
    let mine = objects.filter(|it| it["device"] == device && it["direction"] == direction);
    mine.flat_map(|object| {
        let get = ["archive", "get", object["object_id"].as_str().unwrap()];
        succeeded(&get, stack.ward(&get))
    })
    .collect()
}

fn send_messages(address: SocketAddr, messages: &[Vec<u8>]) {
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
    let mut device = TcpStream::connect(pump).unwrap();
    let mut writer = device.try_clone().unwrap();
    let sent = bytes.clone();
    let feed = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    device.read_to_end(&mut back).unwrap();
    feed.join().unwrap();
    assert!(back == bytes, "the echo came back whole, then the end");

    let message = |number| {
        mllp(&format!(
            "MSH|^~\\&|MON|ICU|||20261124||ORU^R01|{number}|P|2.5\rPID|||{CANARY}\r"
        ))
    };
    let messages: Vec<_> = (0..20).map(message).collect();
    send_messages(monitor, &messages);

    let objects = wait_for("all objects", || {
        let objects = listed(&stack);
        let of = |device: &str, direction: &str| {
            let mine = objects.iter().filter(|it| it["device"] == device);
            let sizes = mine.filter(|it| it["direction"] == direction);
            sizes.map(|it| it["bytes"].as_u64().unwrap()).sum::<u64>() as usize
        };
        let whole = of("pump-1", "to-service") == bytes.len()
            && of("pump-1", "to-device") == bytes.len()
            && of("mon-1", "to-service") == messages.concat().len()
            && of("mon-1", "to-device") == 20 * mllp(ACKNOWLEDGEMENT).len();
        whole.then_some(objects)
    });
    let of_monitor: Vec<_> = objects
        .iter()
        .filter(|it| it["device"] == "mon-1")
        .collect();
    assert_eq!(of_monitor.len(), 40, "one object a message");
    assert!(
        of_monitor
            .iter()
            .all(|it| it["complete"] == true && it["protocol"] == "hl7")
    );
    assert!(objects.iter().all(|it| it["key_version"] == 1));
    assert!(joined(&stack, "pump-1", "to-service") == bytes);
    assert!(joined(&stack, "pump-1", "to-device") == bytes);
    assert!(joined(&stack, "mon-1", "to-service") == messages.concat());
    assert!(joined(&stack, "mon-1", "to-device") == mllp(ACKNOWLEDGEMENT).repeat(20));
    let verified = stack.json(&["archive", "verify"]);
    assert_eq!(
        (&verified["sound"], &verified["failed"]),
        (&true.into(), &0.into())
    );
    let unknown = "00000000000000000000000000000000";
    assert_eq!(
        stack.reason(&["archive", "get", unknown]),
        "OBJECT_NOT_FOUND"
    );

    stack.stop();
    assert_eq!(
        listed(&stack).len(),
        objects.len(),
        "list also works with up stopped"
    );
    for file in files_below(&stack.dir()) {
        let content = std::fs::read(&file).unwrap();
        let canary = content
            .windows(CANARY.len())
            .any(|bytes| bytes == CANARY.as_bytes());
        assert!(
            !canary,
            "{} holds a patient's name in clear",
            file.display()
        );
    }
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
