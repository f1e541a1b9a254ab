//! Planted names: on the device's leg they are seen, between the gateways and on disk never.

use std::fs;
use std::io;
use std::path::Path;

use envelope::id::ObjectId;

use crate::files;
use crate::peer::{self, AckServer};
use crate::sniff::{Segment, Sniffer, contains};
use crate::stack::Plan;
use crate::wait;

/// What was seen.
pub struct Report {
    /// Segments with a planted name on the device's leg and on the server's (the positive control).
    pub on_the_legs: (usize, usize),
    /// Segments with one anywhere else on loopback.
    pub elsewhere: usize,
    /// Segments between the gateways at all (the other positive control).
    pub between_gateways: usize,
    /// Files under the data directory, and how many contain a planted name.
    pub files: (usize, usize),
    /// Objects that give the name back when they are opened through the KMS.
    pub opened: usize,
}

/// Runs it with `messages` messages.
///
/// # Errors
/// When packets cannot be captured here.
///
/// # Panics
/// When the stack does not come up.
pub fn run(ward: &Path, dir: &Path, messages: usize) -> io::Result<Report> {
    // Random, so that another test on this machine cannot be taken for this one.
    let name = format!("CANARY{}", ObjectId::random());
    let sniffer = Sniffer::start(name.as_bytes())?;
    let server = AckServer::start();
    let mut plan = Plan::new(ward, dir.join("data"));
    let device = plan.route("mon-1", "hl7", server.address);
    let stack = plan.start();
    let status = stack.json(&["cluster", "status"]);
    let core = status["gateways"].as_array().expect("an array").iter();
    let core = core
        .filter(|gateway| gateway["role"] == "core")
        .find_map(|g| g["address"].as_str());
    let core = core.expect("a core gateway").parse().expect("an address");
    for number in 0..messages {
        peer::exchange(device, &peer::message(&format!("M{number}"), &name))?;
    }
    let objects = wait::until("all messages are archived", || {
        let objects = stack.objects();
        (objects.len() >= 2 * messages).then_some(objects)
    });
    let opened = objects
        .iter()
        .filter(|object| object["direction"] == "to-service")
        .filter_map(|object| object["object_id"].as_str())
        .filter(|id| contains(&stack.ward(&["archive", "get", id]).stdout, name.as_bytes()))
        .count();
    let plan = stack.stop();

    let mut report = Report {
        on_the_legs: (0, 0),
        elsewhere: 0,
        between_gateways: 0,
        files: (0, 0),
        opened,
    };
    for Segment { ports, planted } in sniffer.stop() {
        report.between_gateways += usize::from(ports.touch(core));
        if !planted {
            continue;
        }
        let (near, far) = &mut report.on_the_legs;
        match (ports.touch(device), ports.touch(server.address)) {
            (true, _) => *near += 1,
            (false, true) => *far += 1,
            (false, false) => report.elsewhere += 1,
        }
    }
    for path in files::below(&plan.dir) {
        report.files.0 += 1;
        report.files.1 += usize::from(contains(&fs::read(&path)?, name.as_bytes()));
    }
    Ok(report)
}
