//! Containment as an operator sees it: a device is cut off with its flows running, stays cut off
//! whatever is restarted, and a gateway that cannot be asked is waited for no longer than it may
//! go on by itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::harness::{PATIENCE, Stack, free_address, succeeded, wait_for};

/// A stack with one device, and the server that its flows end at.
struct Site {
    stack: Stack,
    device: SocketAddr,
    server: TcpListener,
}

impl Site {
    fn up() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let device = free_address();
        let route = format!("pump-1:tcp@{device}={}", server.local_addr().unwrap());
        let stack = Stack::up(&["--nodes", "1", "--route", &route]);
        Self {
            stack,
            device,
            server,
        }
    }

    /// A flow, with both its ends.
    fn flow(&self) -> (TcpStream, TcpStream) {
        wait_for("a flow", || self.try_flow())
    }

    fn try_flow(&self) -> Option<(TcpStream, TcpStream)> {
        let mut device = TcpStream::connect(self.device).ok()?;
        device.set_read_timeout(Some(PATIENCE)).unwrap();
        device.write_all(b"hello").ok()?;
        // The server's end; none when the flow is reset instead.
        let mut server = wait_for("a flow to open or to be reset", || {
            let accepted = self.server.accept().ok().map(|(server, _)| server);
            (accepted.is_some() || is_reset(&device, Duration::ZERO)).then_some(accepted)
        })?;
        server.set_nonblocking(false).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        server.read_exact(&mut [0; 5]).ok()?;
        Some((device, server))
    }

    /// A new flow is reset, and the server hears nothing of it.
    fn refused(&self) {
        let device = TcpStream::connect(self.device).unwrap();
        assert!(is_reset(&device, PATIENCE), "a flow was let in");
        let accepted = self.server.accept().map(|(_, peer)| peer);
        assert_eq!(accepted.unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    fn contain(&self, level: &str) -> Value {
        self.stack
            .json(&["device", "contain", "pump-1", "--level", level, "--wait"])
    }

    fn allow_nothing_without_the_kms(&self) {
        self.stack.json(&["device", "allowance", "pump-1", "0"]);
        // Whoever has acknowledged this order has taken the allowance up as well.
        assert_eq!(self.contain("observe")["complete"], true);
    }

    fn release(&self) {
        self.stack.json(&["device", "release", "pump-1"]);
    }

    fn metrics(&self, gateway: &str) -> String {
        let text = std::fs::read_to_string(self.stack.dir().join(gateway).join("gateway.toml"));
        let settings: toml::Value = toml::from_str(&text.unwrap()).unwrap();
        let ops = settings["ops"]["listen"].as_str().unwrap();
        let mut tcp = TcpStream::connect(ops).unwrap();
        tcp.write_all(b"GET /metrics HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut page = String::new();
        tcp.read_to_string(&mut page).unwrap();
        page
    }
}

/// Waits for a reset, without reading.
fn is_reset(tcp: &TcpStream, patience: Duration) -> bool {
    let mut fds = [PollFd::new(tcp, PollFlags::empty())];
    let patience = Timespec {
        tv_sec: patience.as_secs() as i64,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&patience)).unwrap() == 1 && fds[0].revents().contains(PollFlags::ERR)
}

/// Writes until nobody takes any more.
fn fill(tcp: &mut TcpStream) {
    tcp.set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    while tcp.write(&[7; 1 << 16]).is_ok() {}
}

#[test]
fn a_contained_device_is_cut_refused_and_released() {
    let site = Site::up();
    let idle = site.flow();
    let mut stalled = site.flow();
    fill(&mut stalled.0);
    let streaming = site.flow();
    let mut sender = streaming.0.try_clone().unwrap();
    let mut reader = streaming.1.try_clone().unwrap();
    let stream = std::thread::spawn(move || while sender.write_all(&[3; 1 << 14]).is_ok() {});
    let sink = std::thread::spawn(move || while let Ok(1..) = reader.read(&mut [0; 1 << 14]) {});

    let begun = sys::clock::monotonic();
    let report = site.contain("isolate");
    eprintln!("complete after {:?}: {report}", begun.elapsed());
    assert_eq!(report["complete"], true, "{report}");
    // Answered complete: everything is cut already.
    for (name, end) in [
        ("idle device", &idle.0),
        ("idle server", &idle.1),
        ("stalled device", &stalled.0),
        ("stalled server", &stalled.1),
    ] {
        assert!(is_reset(end, PATIENCE), "the {name} goes on");
    }
    stream.join().unwrap();
    sink.join().unwrap();
    site.refused();
    for line in [
        "ward_flows_cut_total{reason=\"DEVICE_CONTAINED\"}",
        // Counted anew from time to time.
        "ward_devices{level=\"isolate\"} 1",
    ] {
        wait_for(line, || site.metrics("edge").contains(line).then_some(()));
    }

    site.release();
    drop(site.flow());
    checks_find_no_fault_in_what_runs(&site.stack);
}

/// The guide says to check settings before a restart: the ports are then the process's own.
fn checks_find_no_fault_in_what_runs(stack: &Stack) {
    for (verb, name, file) in [
        ("gateway", "edge", "gateway.toml"),
        ("gateway", "core", "gateway.toml"),
        ("node", "node-1", "node.toml"),
    ] {
        let config = stack.dir().join(name).join(file);
        let check = [verb, "--config", config.to_str().unwrap(), "--check"];
        let said = String::from_utf8(succeeded(&check, stack.ward(&check))).unwrap();
        assert!(said.contains("is in use, and this process runs"), "{said}");
        assert!(!said.contains("has mode"), "{said}");
    }
}

#[test]
fn an_order_outlives_a_restart_of_everything() {
    let mut site = Site::up();
    assert_eq!(site.contain("isolate")["complete"], true);
    site.stack.stop();
    site.stack.start();
    site.refused();
    site.release();
    drop(site.flow());
}

#[test]
fn a_device_is_restricted_to_a_service_and_observed() {
    let site = Site::up();
    let flow = site.flow();
    let name = format!("tcp@{}", site.server.local_addr().unwrap());
    let restrict = [
        "device", "contain", "pump-1", "--level", "restrict", "--wait",
    ];
    let report = site
        .stack
        .json(&[&restrict[..], &["--service", &name]].concat());
    assert_eq!(report["complete"], true, "{report}");
    assert!(
        !is_reset(&flow.0, Duration::ZERO),
        "its own service is named"
    );
    let another = [&restrict[..], &["--service", "another"]].concat();
    let output = site
        .stack
        .ward(&[&["--output", "json"], &another[..]].concat());
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        talk.contains("has no `another` for pump-1") && talk.contains(&name),
        "{talk}"
    );
    let report: Value = serde_json::from_slice(&succeeded(&another, output)).unwrap();
    assert_eq!(report["complete"], true, "{report}");
    assert!(is_reset(&flow.0, PATIENCE) && is_reset(&flow.1, PATIENCE));
    site.refused();
    assert_eq!(site.contain("observe")["complete"], true);
    drop(site.flow());
    let log = std::fs::read_to_string(site.stack.dir().join("log/edge.log")).unwrap();
    assert!(log.contains("a flow of an observed device"), "{log}");
}

#[test]
fn a_paused_gateway_is_waited_for_as_long_as_it_may_go_on_and_then_does_not() {
    let site = Site::up();
    site.allow_nothing_without_the_kms();
    let (mut device, mut server) = site.flow();
    let edge = site.stack.pid("edge").unwrap();
    kill_process(edge, Signal::STOP).unwrap();
    let report = site
        .stack
        .json(&["device", "contain", "pump-1", "--level", "isolate"]);
    assert_eq!(report["complete"], false, "{report}");
    assert_eq!(report["pending"][0]["gateway"], "edge", "{report}");
    let begun = sys::clock::monotonic();
    wait_for("what the edge may do to be over", || {
        let report = site.stack.json(&["device", "describe", "pump-1"]);
        (report["complete"] == true).then_some(())
    });
    eprintln!("complete after {:?} without the edge", begun.elapsed());
    // The core has reset its half; what the device says now stays in the edge.
    device
        .write_all(b"after the order was complete")
        .unwrap_or_default();
    kill_process(edge, Signal::CONT).unwrap();
    let mut heard = Vec::new();
    let error = server.read_to_end(&mut heard).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(heard.is_empty(), "{} bytes were forwarded", heard.len());
    assert!(is_reset(&device, PATIENCE));
    site.refused();
}

#[test]
fn cut_off_from_the_kms_a_gateway_stops_when_its_time_is_over_and_comes_back() {
    let site = Site::up();
    site.allow_nothing_without_the_kms();
    let (device, server) = site.flow();
    let node = site.stack.pid("node-1").unwrap();
    kill_process(node, Signal::STOP).unwrap();
    let begun = sys::clock::monotonic();
    assert!(is_reset(&device, PATIENCE) && is_reset(&server, PATIENCE));
    eprintln!("cut {:?} after the KMS was gone", begun.elapsed());
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    site.refused();
    kill_process(node, Signal::CONT).unwrap();
    drop(site.flow());
}
