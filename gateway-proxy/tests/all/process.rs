//! Gateways as real processes, with a KMS that is never there: they start with what is on disk,
//! say why when they cannot, drain when told, reset what they carried when they are killed, and
//! forward nothing once the time is over up to which they may.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gateway_proxy::contain::{Kept, Standing, Store};
use kms_client::model::ContainLevel;
use rustix::process::{Pid, Signal, kill_process};

use crate::authority::Authority;
use crate::pair::{PATIENCE, accept, pass, until};

/// A folder with the identities of an edge, a core and a device.
struct House {
    dir: tempfile::TempDir,
    server: TcpListener,
    route: SocketAddr,
    edge_ops: SocketAddr,
    core_ops: SocketAddr,
}

/// A gateway's process, killed when dropped.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

impl Gateway {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        until("the gateway ends", || self.0.try_wait().unwrap()).code()
    }
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.write_identity(&dir.path().join("core/identity"), "gateway", "core");
        authority.write_identity(&dir.path().join("edge/identity"), "gateway", "edge");
        authority.write_identity(&dir.path().join("edge/devices/mon-1"), "device", "mon-1");
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let [route, edge_ops, core_ops, tunnel] = free_ports();
        let house = Self {
            dir,
            server,
            route,
            edge_ops,
            core_ops,
        };
        for gateway in ["edge", "core"] {
            house.keep(
                gateway,
                Some(sys::clock::boottime()),
                ContainLevel::None,
                HOUR,
            );
        }
        house.write(
            "edge",
            "edge",
            edge_ops,
            &format!(
                "[[route]]\ndevice = \"mon-1\"\nprotocol = \"tcp\"\nlisten = \"{route}\"\n\
             core = \"{tunnel}\"\ncore_id = \"core\"\nservice = \"lab\"\n"
            ),
        );
        house.write(
            "core",
            "core",
            core_ops,
            &format!(
                "[tunnel]\nlisten = \"{tunnel}\"\n[[service]]\nname = \"lab\"\nprotocol = \"tcp\"\n\
             upstream = \"{}\"\ndevices = [\"mon-1\"]\n",
                house.server.local_addr().unwrap()
            ),
        );
        house
    }

    fn write(&self, id: &str, role: &str, ops: SocketAddr, rest: &str) {
        let dir = self.dir.path().join(id);
        let text = format!(
            "id = \"{id}\"\nrole = \"{role}\"\nidentity_dir = \"{}\"\nstate_dir = \"{}\"\n\
             threads = 2\n[ops]\nlisten = \"{ops}\"\n{rest}",
            dir.join("identity").display(),
            dir.display(),
        );
        std::fs::write(dir.join("gateway.toml"), text).unwrap();
    }

    /// What a gateway has kept of a time when the KMS was there.
    fn keep(&self, id: &str, until: Option<Duration>, level: ContainLevel, allowance: Duration) {
        let device = "mon-1".parse().unwrap();
        let served = HashSet::from(["mon-1".parse().unwrap()]);
        let standing = Standing {
            level,
            allowance,
            ..Standing::default()
        };
        let kept = Kept {
            until,
            standings: vec![(device, standing)],
        };
        let store = Store::new(&self.dir.path().join(id));
        store.keep(&kept, &served).unwrap();
    }

    fn refused(&self) {
        let mut device = TcpStream::connect(self.route).unwrap();
        device.set_read_timeout(Some(PATIENCE)).unwrap();
        let error = device.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        self.server.set_nonblocking(true).unwrap();
        assert_eq!(
            self.server.accept().unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    }

    fn config(&self, id: &str) -> PathBuf {
        self.dir.path().join(id).join("gateway.toml")
    }

    fn start_both(&self) -> (Gateway, Gateway) {
        let (core, edge) = (
            start(&self.config("core"), &[]),
            start(&self.config("edge"), &[]),
        );
        for ops in [self.core_ops, self.edge_ops] {
            until("the gateway is ready", || {
                get(ops, "/ready").filter(|page| page.contains("200"))
            });
        }
        (edge, core)
    }

    fn connect(&self) -> (TcpStream, TcpStream) {
        let device = TcpStream::connect(self.route).unwrap();
        device.set_read_timeout(Some(PATIENCE)).unwrap();
        (device, accept(&self.server))
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// Long enough for two processes to start on a busy machine.
const A_WHILE: Duration = Duration::from_secs(5);

/// Ports that were free a moment ago: a process cannot tell which one it was given.
fn free_ports() -> [SocketAddr; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

fn start(config: &Path, arguments: &[&str]) -> Gateway {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-proxy"));
    command.arg("--config").arg(config).args(arguments);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    Gateway(command.spawn().unwrap())
}

/// Runs a gateway that cannot start, and answers the last line it says.
fn complaint(config: &Path) -> String {
    let mut gateway = start(config, &[]);
    assert_eq!(gateway.exit_code(), Some(1));
    let mut text = String::new();
    gateway
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text.lines().last().unwrap().to_owned()
}

fn get(ops: SocketAddr, path: &str) -> Option<String> {
    let mut tcp = TcpStream::connect(ops).ok()?;
    std::io::Write::write_all(
        &mut tcp,
        format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .ok()?;
    let mut page = String::new();
    tcp.read_to_string(&mut page).ok()?;
    Some(page)
}

#[test]
fn without_the_kms_they_serve_what_is_on_disk() {
    let house = House::new();
    let (mut edge, mut core) = house.start_both();
    let (mut device, mut server) = house.connect();
    pass(&mut device, &mut server, b"question");
    pass(&mut server, &mut device, b"answer");
    drop(device);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    drop(server);
    until("the flow is counted at both halves", || {
        let finished = |ops| Some(get(ops, "/metrics")?.contains("ending=\"finished\"} 1"));
        (finished(house.edge_ops)? && finished(house.core_ops)?).then_some(())
    });
    assert!(
        !get(house.edge_ops, "/metrics").unwrap().contains("mon-1"),
        "labels stay few"
    );
    for gateway in [&mut edge, &mut core] {
        gateway.signal(Signal::TERM);
        assert_eq!(gateway.exit_code(), Some(0));
    }
}

#[test]
fn a_drain_lets_a_flow_end() {
    let house = House::new();
    let (mut edge, _core) = house.start_both();
    let (mut device, mut server) = house.connect();
    pass(&mut device, &mut server, b"before");
    edge.signal(Signal::TERM);
    until("the edge drains", || {
        get(house.edge_ops, "/ready").filter(|page| page.contains("503"))
    });
    until("nobody listens any more", || {
        TcpStream::connect(house.route).err()
    });
    pass(&mut device, &mut server, b"during");
    drop(device);
    assert_eq!(
        server.read(&mut [0]).unwrap(),
        0,
        "the FIN is a FIN to the last"
    );
    drop(server);
    assert_eq!(edge.exit_code(), Some(0));
}

#[test]
fn a_supervised_gateway_ends_with_its_supervisor() {
    let house = House::new();
    let mut edge = start(&house.config("edge"), &["--supervised"]);
    until("the edge is ready", || {
        get(house.edge_ops, "/ready").filter(|page| page.contains("200"))
    });
    edge.signal(Signal::TERM);
    edge.signal(Signal::INT);
    assert!(
        get(house.edge_ops, "/live").unwrap().contains("200"),
        "signals are ignored"
    );
    drop(edge.0.stdin.take());
    assert_eq!(edge.exit_code(), Some(0));
}

#[test]
fn a_killed_gateway_resets_what_it_carried() {
    for victim in ["edge", "core"] {
        let house = House::new();
        let (mut edge, mut core) = house.start_both();
        let (mut device, mut server) = house.connect();
        pass(&mut device, &mut server, b"half a mess");
        let gateway = if victim == "edge" {
            &mut edge
        } else {
            &mut core
        };
        gateway.0.kill().unwrap();
        for (name, end) in [("device", &mut device), ("server", &mut server)] {
            let error = end.read(&mut [0]).expect_err("a cut stream ended cleanly");
            assert_eq!(
                error.kind(),
                ErrorKind::ConnectionReset,
                "{victim} killed, {name}"
            );
        }
    }
}

#[test]
fn what_keeps_it_from_starting_is_one_line() {
    let house = House::new();
    let config = house.config("edge");
    let taken = TcpListener::bind(house.route).unwrap();
    let line = complaint(&config);
    assert!(line.starts_with("error[PORT_IN_USE]: "), "{line}");
    assert!(line.contains(&house.route.to_string()), "{line}");
    drop(taken);
    // The core's identity in the edge's folder.
    let identity = house.dir.path().join("edge/identity");
    std::fs::remove_dir_all(&identity).unwrap();
    let line = complaint(&config);
    assert!(line.starts_with("error[STORAGE]: "), "{line}");
    std::fs::rename(house.dir.path().join("core/identity"), &identity).unwrap();
    let line = complaint(&config);
    assert!(line.starts_with("error[CERTIFICATE_FOREIGN]: "), "{line}");
    std::fs::write(&config, "id = 1").unwrap();
    let line = complaint(&config);
    assert!(line.starts_with("error[INVALID_ARGUMENT]: "), "{line}");
}

#[test]
fn a_broken_certificate_keeps_only_its_own_device_waiting() {
    let house = House::new();
    let broken = house.dir.path().join("edge/devices/mon-1/cert.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let edge = start(&house.config("edge"), &[]);
    let live = || get(house.edge_ops, "/live").filter(|page| page.contains("200"));
    until("the edge lives", live);
    let mut device = TcpStream::connect(house.route).unwrap();
    device.set_read_timeout(Some(PATIENCE)).unwrap();
    let refused = device.read(&mut [0]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionReset);
    let ready = get(house.edge_ops, "/ready").unwrap();
    assert!(
        ready.contains("503"),
        "it is not ready without its certificate: {ready}"
    );
    drop(edge);
}

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
