//! Certificates and clocks: a stack that was off for a year, one whose clocks say 1970, renewal
//! under a live flow, and who comes back after a certificate's time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use kms_client::Client;
use kms_client::identity::{CertificateFacts, IdentityDir};
use kms_client::reason::Reason;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::archive::{got, listed, send_messages};
use crate::harness::{Stack, free_address, reason_of, succeeded, wait_for};
use crate::servers::{Server, mllp};
use crate::wall_clock::{Offset, WallClock};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The folders of everybody who has a certificate, for a stack of one node and one device.
const FOLDERS: [&str; 5] = [
    "node-1/tls",
    "edge/identity",
    "core/identity",
    "edge/devices/mon-1",
    "operator",
];

/// A stack with the device mon-1 in front of a server, under a clock of its own.
struct Site {
    stack: Stack,
    device: SocketAddr,
}

impl Site {
    fn new(clock: WallClock, nodes: &str, protocol: &str, server: &Server) -> Self {
        let device = free_address();
        let route = format!("mon-1:{protocol}@{device}={}", server.address);
        let mut stack = Stack::new(&["--nodes", nodes, "--route", &route]);
        stack.keep_time_by(clock);
        Self { stack, device }
    }

    fn set(&self, offset: Offset) {
        self.stack.clock().set(offset);
    }

    fn facts(&self, folder: &str) -> CertificateFacts {
        let dir = IdentityDir::new(self.stack.dir().join(folder));
        dir.load().unwrap().facts().clone()
    }

    fn encrypt(&self) -> Vec<u8> {
        let encrypt = ["encrypt", "--key", "lab"];
        succeeded(&encrypt, self.stack.ward_with(&encrypt, b"kept"))
    }

    /// What a site does all day works, and so does what was kept before.
    fn works(&self, sealed: &[u8], messages_before: usize) {
        send_messages(
            self.device,
            &[mllp("MSH|^~\\&|A|B|C|D|||ORU^R01|1|P|2.5\r")],
        );
        let decrypted = self.stack.ward_with(&["decrypt"], sealed);
        assert_eq!(succeeded(&["decrypt"], decrypted), b"kept");
        self.stack.json(&["key", "rotate", "lab"]);
        let objects = wait_for("the message and its answer in the archive", || {
            let objects = listed(&self.stack);
            (objects.len() == 2 * (messages_before + 1)).then_some(objects)
        });
        for object in objects {
            let bytes = got(&self.stack, object["object_id"].as_str().unwrap());
            assert!(!bytes.is_empty());
        }
        let verify = ["audit", "verify"];
        succeeded(&verify, self.stack.ward(&verify));
    }
}

#[test]
fn a_stack_that_was_off_for_a_year_comes_up_by_itself() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let server = Server::hl7();
    let mut site = Site::new(clock, "3", "hl7", &server);
    site.stack.start();
    site.stack.json(&["key", "create", "lab"]);
    let sealed = site.encrypt();
    site.works(&sealed, 0);
    let before = FOLDERS.map(|folder| site.facts(folder));
    site.stack.stop();

    site.set(Offset::Ahead(400 * DAY));
    let then_ms = sys::clock::wall_ms() + 400 * DAY.as_millis() as u64;
    assert!(before.iter().all(|facts| facts.is_expired(then_ms)));
    site.stack.start();
    site.works(&sealed, 1);
    for (folder, before) in FOLDERS.iter().zip(before) {
        let after = wait_for(folder, || {
            let after = site.facts(folder);
            (!after.is_expired(then_ms)).then_some(after)
        });
        assert_eq!(after.spki_sha256, before.spki_sha256, "{folder}");
    }
}

#[test]
fn a_stack_founded_in_1970_comes_up_when_the_clocks_are_right_and_when_they_are_lost_again() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let server = Server::hl7();
    let mut site = Site::new(clock, "3", "hl7", &server);
    site.set(Offset::Since1970);
    site.stack.start();
    site.stack.json(&["key", "create", "lab"]);
    let sealed = site.encrypt();
    site.works(&sealed, 0);
    for folder in FOLDERS {
        assert!(
            site.facts(folder).is_expired(sys::clock::wall_ms()),
            "{folder}"
        );
    }
    site.stack.stop();

    site.set(Offset::None);
    site.stack.start();
    site.works(&sealed, 1);
    site.stack.stop();

    // Certificates of today, under a clock of 1970.
    site.set(Offset::Since1970);
    site.stack.start();
    site.works(&sealed, 2);
    // No clock is right, so the leader hands over to a node whose clock is wrong too.
    let leader = wait_for("a leader", || {
        site.stack.json(&["cluster", "status"])["leader"].as_u64()
    });
    wait_for("the leader to be removed", || {
        let removed = site.stack.ward(&["node", "remove", &leader.to_string()]);
        removed.status.success().then_some(())
    });
    site.encrypt();
}

#[test]
fn certificates_are_renewed_before_half_their_life_and_a_live_flow_goes_on() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let server = Server::echo();
    let mut site = Site::new(clock, "1", "tcp", &server);
    site.stack.start();
    let mut live = Live::begin(site.device);
    // Those of a day, then the node's of a year too; all others are long over by then.
    let last = 150 * DAY;
    for (ahead, due) in [(10 * HOUR, &FOLDERS[1..]), (last, &FOLDERS[..])] {
        let before: Vec<_> = due.iter().map(|folder| site.facts(folder)).collect();
        site.set(Offset::Ahead(ahead));
        for (folder, before) in due.iter().zip(before) {
            let after = wait_for(folder, || {
                live.goes_on();
                let after = site.facts(folder);
                (after != before).then_some(after)
            });
            assert_eq!(after.spki_sha256, before.spki_sha256, "{folder}");
            let half_ms = (before.not_after_ms + before.not_before_ms) / 2;
            let issued_ms = after.not_before_ms + HOUR.as_millis() as u64;
            let was_over = ahead == last && *folder != "node-1/tls";
            assert_eq!(issued_ms < half_ms, !was_over, "{folder}");
        }
        // New flows use the new ones.
        wait_for("another flow", || {
            live.goes_on();
            let mut flow = TcpStream::connect(site.device).ok()?;
            flow.write_all(b"new").ok()?;
            flow.read_exact(&mut [0; 3]).ok()
        });
    }
    live.goes_on();
}

#[test]
fn a_clock_that_is_set_right_in_the_middle_of_the_work_stops_nothing() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let server = Server::echo();
    let mut site = Site::new(clock, "3", "tcp", &server);
    site.set(Offset::Since1970);
    site.stack.start();
    let mut live = Live::begin(site.device);
    site.stack.json(&["key", "create", "lab"]);
    site.set(Offset::None);
    for folder in FOLDERS {
        wait_for(folder, || {
            live.goes_on();
            let facts = site.facts(folder);
            (!facts.is_expired(sys::clock::wall_ms())).then_some(())
        });
    }
    let sealed = site.encrypt();
    let decrypted = site.stack.ward_with(&["decrypt"], &sealed);
    assert_eq!(succeeded(&["decrypt"], decrypted), b"kept");
    live.goes_on();
}

#[test]
fn who_comes_back_after_its_certificates_time_is_renewed_or_told_to_join_again() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let mut stack = Stack::new(&["--nodes", "1"]);
    stack.keep_time_by(clock);
    stack.start();
    stack.json(&["key", "create", "app/portal/notes"]);
    let folders = tempfile::tempdir().unwrap();
    let (former, present) = (
        folders.path().join("former"),
        folders.path().join("present"),
    );
    enroll(&stack, &former);
    encrypt_as(&stack, &former).unwrap();
    // The same application on another machine, with another key.
    enroll(&stack, &present);
    let before = IdentityDir::new(&present).load().unwrap().facts().clone();

    stack.clock().set(Offset::Ahead(3 * DAY));
    hears_a_renewal_alone(&present);
    encrypt_as(&stack, &present).unwrap();
    let after = IdentityDir::new(&present).load().unwrap().facts().clone();
    assert_eq!(after.spki_sha256, before.spki_sha256);
    assert!(after.not_after_ms > before.not_after_ms);
    let refused = encrypt_as(&stack, &former).unwrap_err();
    assert_eq!(reason_of(&refused), "DENIED");
    assert!(refused.contains("join again"), "{refused}");
}

#[test]
fn a_node_whose_clock_is_lost_does_not_go_on_leading() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let mut stack = Stack::new(&["--nodes", "3"]);
    stack.keep_time_by(clock.fixed_at_start());
    stack.start();
    stack.json(&["key", "create", "before"]);
    let restart = |names: &[&str], offset| {
        stack.clock().set(offset);
        let pid = |name: &&str| stack.pid(name).unwrap();
        let former: Vec<_> = names.iter().map(pid).collect();
        for pid in &former {
            kill_process(*pid, Signal::KILL).unwrap();
        }
        for (name, former) in names.iter().zip(former) {
            wait_for(name, || stack.pid(name).filter(|pid| *pid != former));
        }
    };
    let leader = || {
        let status = stack.ward(&["--output", "json", "cluster", "status"]);
        let status: Value = serde_json::from_slice(&status.stdout).ok()?;
        status["leader"].as_u64()
    };
    let node_3_leads = || {
        wait_for("the node that knows the time to lead", || {
            (leader()? == 3).then_some(())
        });
    };
    // Two lose their clocks; one of them leads while the third is away.
    restart(&["node-1", "node-2"], Offset::Since1970);
    for name in ["node-1", "node-2"] {
        wait_for("a life that began in 1970", || {
            let log = stack.dir().join(format!("log/{name}.log"));
            let said = std::fs::read_to_string(log).unwrap();
            said.contains("\n1970-01-01T").then_some(())
        });
    }
    node_3_leads();
    kill_process(stack.pid("node-3").unwrap(), Signal::STOP).unwrap();
    wait_for("a node that does not know the time to lead", || {
        matches!(leader()?, 1 | 2).then_some(())
    });
    restart(&["node-3"], Offset::None);
    node_3_leads();
    stack.json(&["key", "create", "after"]);
}

/// A flow that is open all the time.
struct Live(TcpStream);

impl Live {
    fn begin(device: SocketAddr) -> Self {
        Self(TcpStream::connect(device).unwrap())
    }

    fn goes_on(&mut self) {
        let mut back = [0; 4];
        self.0.write_all(b"live").unwrap();
        self.0.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"live");
    }
}

/// Enrols the application `portal` into a folder.
fn enroll(stack: &Stack, folder: &Path) {
    let token = stack.json(&["token", "create", "--role", "app", "--id", "portal"]);
    let told = |name: &str| token[name].as_str().unwrap().to_owned();
    let enroll = [
        "enroll",
        "--endpoint",
        &told("endpoint"),
        "--ca-sha256",
        &told("ca_sha256"),
        "--token",
        &told("token"),
        "--out",
        folder.to_str().unwrap(),
    ];
    succeeded(&enroll, stack.ward(&enroll));
}

/// With a certificate that is over by the node's clock, and the library's own renewal left out.
fn hears_a_renewal_alone(folder: &Path) {
    let dir = IdentityDir::new(folder);
    let client = Client::builder()
        .identity(dir.load().unwrap())
        .endpoints(dir.load_endpoints().unwrap())
        .open()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let expired = Some(Reason::CertificateExpired);
    wait_for("the node's clock to move on", || {
        let refused = runtime.block_on(client.describe_key("app/portal/notes"));
        (refused.err().map(|error| error.reason()) == expired).then_some(())
    });
    let other = IdentityDir::new(folder.join("other")).create_csr().unwrap();
    let refused = runtime.block_on(client.issue_certificate(&other, None));
    assert_eq!(refused.err().map(|error| error.reason()), expired);
    let own = dir.create_csr().unwrap();
    runtime
        .block_on(client.issue_certificate(&own, None))
        .unwrap();
}

fn encrypt_as(stack: &Stack, folder: &Path) -> Result<(), String> {
    let folder = folder.to_str().unwrap();
    let key = "app/portal/notes";
    let output = stack.ward_with(&["--data-dir", folder, "encrypt", "--key", key], b"x");
    let said = String::from_utf8(output.stderr).unwrap();
    output.status.success().then_some(()).ok_or(said)
}
