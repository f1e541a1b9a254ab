//! Gateways as real processes, with a KMS that is never there: they start with what is on disk,
//! say why when they cannot, drain when told, and reset what they carried when they are killed.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;

use crate::house::{House, complaint, get, start};
use crate::pair::{PATIENCE, pass, until};

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
