//! python-hl7 on both ends: every message answered in order, and the archive equal to the stream.

use std::fs;
use std::path::Path;

use crate::peer::{self, PythonServer};
use crate::stack::{Plan, Stack};
use crate::wait;

/// What was seen.
pub struct Report {
    /// Messages sent, and answers that came back.
    pub messages: (usize, usize),
    /// Objects archived towards the service and towards the device.
    pub objects: (usize, usize),
    /// Bytes of each direction, equal on the wire and in the archive.
    pub bytes: (usize, usize),
}

/// Runs it; `None` when no Python has python-hl7.
///
/// # Panics
/// When anything differs.
pub fn run(ward: &Path, dir: &Path, messages: usize) -> Option<Report> {
    let python = peer::python_with("hl7.client, hl7.mllp")?;
    let record = dir.join("record");
    fs::create_dir_all(&record).expect("a writable folder");
    let server = PythonServer::start(&python, &record);
    let mut plan = Plan::new(ward, dir.join("data"));
    let device = plan.route("mon-1", "hl7", server.address);
    let stack = plan.start();

    peer::python_client(&python, device, messages, &record);
    let read = |name: &str| fs::read(record.join(name)).expect("the peers recorded it");
    let (sent, received) = (read("client-sent.bin"), read("client-received.bin"));
    assert_eq!(
        sent,
        read("server-received.bin"),
        "what the device sent is what the server read"
    );
    assert_eq!(
        received,
        read("server-sent.bin"),
        "what the server sent is what the device read"
    );

    let listed = wait::within(wait::DEADLINE, || {
        let objects = stack.objects();
        let total: u64 = objects
            .iter()
            .filter_map(|object| object["bytes"].as_u64())
            .sum();
        (total == (sent.len() + received.len()) as u64).then_some(objects)
    })
    .unwrap_or_else(|| stack.objects());
    let to_service = joined(&stack, &listed, "to-service");
    let to_device = joined(&stack, &listed, "to-device");
    assert!(
        to_service.1 == sent,
        "archive to-service differs from the bytes sent"
    );
    assert!(
        to_device.1 == received,
        "archive to-device differs from the bytes received"
    );
    assert!(
        listed.iter().all(|object| object["complete"] == true),
        "every message is complete"
    );
    stack.stop();
    Some(Report {
        messages: (frames(&sent), frames(&received)),
        objects: (to_service.0, to_device.0),
        bytes: (sent.len(), received.len()),
    })
}

/// How many messages a stream of MLLP holds.
fn frames(stream: &[u8]) -> usize {
    stream.windows(2).filter(|two| *two == peer::END).count()
}

/// Opens all objects of a direction through the tool and joins them.
fn joined(stack: &Stack, objects: &[serde_json::Value], direction: &str) -> (usize, Vec<u8>) {
    let mut count = 0;
    let mut bytes = Vec::new();
    for object in objects
        .iter()
        .filter(|object| object["direction"] == direction)
    {
        let id = object["object_id"].as_str().expect("a string");
        let output = stack.ward(&["archive", "get", id]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        count += 1;
        bytes.extend_from_slice(&output.stdout);
    }
    (count, bytes)
}
