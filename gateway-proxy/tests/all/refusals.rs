//! Who gets nothing, and what a device sees of it: a connection that is reset, and a server that
//! was never connected to.

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use gateway_proxy::frame::{self, Control, FlowNumber, Open};
use gateway_proxy::ids::FlowId;
use gateway_proxy::limits::{HANDSHAKE_TIMEOUT, HANDSHAKES_MAX};
use gateway_proxy::socket::Ask;
use gateway_proxy::tunnel::Tunnel;
use gateway_proxy::tunnel::handshake;
use gateway_proxy::tunnel::inbox::Answer;
use kms_client::identity::Role;
use kms_client::tls::{ALPN_H2, ExpectedPeer, client_config, provider, server_name};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::authority::{Authority, TRUST_DOMAIN};
use crate::pair::{PATIENCE, Pair, Setup, device_tls, nobody, pass, until};

/// The device is reset and the server hears nothing.
#[track_caller]
fn refused(pair: &Pair) {
    let mut device = pair.device();
    let error = device.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    not_connected(&pair.server);
}

fn not_connected(server: &TcpListener) {
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_refusing_server_is_a_reset_connection() {
    let pair = Setup {
        upstream: Some(nobody()),
        ..Setup::default()
    }
    .start();
    refused(&pair);
    refused(&pair);
}

#[test]
fn silent_connections_keep_nobody_out() {
    // Both ends of each are in this process.
    let files = 4 * HANDSHAKES_MAX as u64;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.current.map(|now| now.max(files));
    setrlimit(Resource::Nofile, limit).unwrap();
    let pair = Pair::new();
    let silent: Vec<_> = (0..HANDSHAKES_MAX + 8)
        .map(|_| TcpStream::connect(pair.core).unwrap())
        .collect();
    let begun = sys::clock::monotonic();
    let (mut device, mut server) = pair.connect();
    pass(&mut device, &mut server, b"a device with something to say");
    assert!(
        begun.elapsed() < HANDSHAKE_TIMEOUT,
        "it waited until the silent ones were given up"
    );
    drop(silent);
}

#[test]
fn an_unknown_service_and_a_device_that_may_not_are_refused() {
    refused(
        &Setup {
            service: "elsewhere",
            ..Setup::default()
        }
        .start(),
    );
    refused(
        &Setup {
            allowed: "mon-2",
            ..Setup::default()
        }
        .start(),
    );
}

#[test]
fn a_device_certificate_must_be_of_this_cluster_and_in_time() {
    let foreign = Authority::new().identity("device", "mon-1");
    refused(
        &Setup {
            device: Some(foreign),
            ..Setup::default()
        }
        .start(),
    );
    let authority = Authority::new();
    let expired = authority.expired("device", "mon-1");
    refused(
        &Setup {
            device: Some(expired),
            authority,
            ..Setup::default()
        }
        .start(),
    );
    let authority = Authority::new();
    let app = authority.identity("app", "mon-1");
    refused(
        &Setup {
            device: Some(app),
            authority,
            ..Setup::default()
        }
        .start(),
    );
}

#[test]
fn a_core_must_be_the_one_it_is_taken_for() {
    let authority = Authority::new();
    let other = authority.identity("gateway", "core-2");
    refused(
        &Setup {
            core: Some(other),
            authority,
            ..Setup::default()
        }
        .start(),
    );
    let authority = Authority::new();
    let device = authority.identity("device", "core");
    refused(
        &Setup {
            core: Some(device),
            authority,
            ..Setup::default()
        }
        .start(),
    );
    let foreign = Authority::new().identity("gateway", "core");
    refused(
        &Setup {
            core: Some(foreign),
            ..Setup::default()
        }
        .start(),
    );
    let authority = Authority::new();
    let expired = authority.expired("gateway", "core");
    refused(
        &Setup {
            core: Some(expired),
            authority,
            ..Setup::default()
        }
        .start(),
    );
}

#[test]
fn nobody_is_connected_to_without_a_flow() {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    pass(&mut device, &mut server, b"the only flow");
    // The warm spare stands by now or will: it must not show here.
    drop((device, server));
    not_connected(&pair.server);
}

#[test]
fn without_a_certificate_the_core_says_nothing() {
    let authority = Authority::new();
    let known = authority.identity("device", "mon-1");
    let pair = Setup {
        authority,
        ..Setup::default()
    }
    .start();
    let with_certificate = device_tls(&known);
    let mut without = rustls::ClientConfig::clone(&with_certificate);
    without.client_auth_cert_resolver = no_certificate();
    assert_eq!(bytes_from_core(&pair, Arc::new(without)), 0);
    let core = ExpectedPeer::of(TRUST_DOMAIN, &[Role::Gateway]);
    let other_protocol = client_config(&known, core, ALPN_H2).unwrap();
    assert_eq!(bytes_from_core(&pair, Arc::new(other_protocol)), 0);
    // The positive control: with the certificate, the same core answers.
    let answer = open_flow(&pair, with_certificate, "lab");
    assert_eq!(answer, Answer::Accepted);
}

#[test]
fn what_is_not_tls_gets_at_most_an_alert() {
    let pair = Pair::new();
    let mut tcp = TcpStream::connect(pair.core).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: core\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    // Either the end or a reset, since the core closes with bytes unread.
    tcp.read_to_end(&mut answer).unwrap_or_default();
    assert!(answer.len() <= 7, "an alert at most, not {answer:?}");
}

#[test]
fn a_refusal_says_why_and_leaves_the_tunnel_usable() {
    let authority = Authority::new();
    let tls = device_tls(&authority.identity("device", "mon-1"));
    let pair = Setup {
        authority,
        ..Setup::default()
    }
    .start();
    block_on(async {
        let mut tunnel = tunnel(&pair, tls).await;
        let (number, answer) = open(&mut tunnel, "elsewhere").await;
        let reason = "SERVICE_UNKNOWN".to_owned();
        assert_eq!(
            answer,
            Answer::Rejected {
                reason,
                retryable: false
            }
        );
        // What was pipelined behind the OPEN is stale now, and must go nowhere.
        let mut stale = frame::data_header(number, 5).to_vec();
        stale.extend_from_slice(b"stale");
        tunnel.queue_plain(&stale).unwrap();
        tunnel.inbox.end();
        let (_, answer) = open(&mut tunnel, "lab").await;
        assert_eq!(answer, Answer::Accepted);
        drop(tunnel);
    });
    let mut received = Vec::new();
    let mut server = crate::pair::accept(&pair.server);
    server.read_to_end(&mut received).unwrap_err();
    assert_eq!(received, b"", "stale bytes reached the service");
}

#[test]
fn an_edge_that_breaks_the_rules_loses_its_tunnel() {
    let authority = Authority::new();
    let tls = device_tls(&authority.identity("device", "mon-1"));
    let pair = Setup {
        authority,
        ..Setup::default()
    }
    .start();
    for bytes in [
        // A second OPEN_OK is the core's to say; a type nobody knows; bytes after FIN.
        wire(&[Control::OpenOk]),
        vec![99, 0, 0, 0, 0, 0, 0, 1],
        wire(&[Control::Fin { offset: 0 }, Control::Fin { offset: 0 }]),
        wire(&[Control::Ack { offset: 77 }]),
    ] {
        let tls = Arc::clone(&tls);
        let lost = block_on(async {
            let mut tunnel = tunnel(&pair, tls).await;
            open(&mut tunnel, "lab").await;
            tunnel.queue_plain(&bytes).unwrap();
            fill_until(&mut tunnel, |_| false).await
        });
        assert!(lost.is_err(), "{bytes:?}");
        let mut server = crate::pair::accept(&pair.server);
        let reset = server.read(&mut [0]).unwrap_err();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset, "{bytes:?}");
    }
}

fn wire(controls: &[Control]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for control in controls {
        frame::write(FlowNumber(1), control, &mut bytes);
    }
    bytes
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(PATIENCE, work).await.unwrap() })
}

async fn tunnel(pair: &Pair, tls: Arc<rustls::ClientConfig>) -> Tunnel {
    let tcp = tokio::net::TcpStream::connect(pair.core).await.unwrap();
    handshake::connect(tcp, tls).await.unwrap()
}

fn open_flow(pair: &Pair, tls: Arc<rustls::ClientConfig>, service: &str) -> Answer {
    block_on(async { open(&mut tunnel(pair, tls).await, service).await.1 })
}

async fn open(tunnel: &mut Tunnel, service: &str) -> (FlowNumber, Answer) {
    let number = tunnel.inbox.begin().unwrap();
    let open = Open {
        flow: FlowId::random(),
        service: service.parse().unwrap(),
        protocol: "tcp".parse().unwrap(),
        source: None,
        destination: None,
    };
    tunnel.queue(number, &Control::Open(open)).unwrap();
    fill_until(tunnel, |tunnel| {
        tunnel.inbox.flow().unwrap().answer.is_some()
    })
    .await
    .unwrap();
    (number, tunnel.inbox.flow().unwrap().answer.clone().unwrap())
}

async fn fill_until(
    tunnel: &mut Tunnel,
    done: impl Fn(&mut Tunnel) -> bool,
) -> Result<(), gateway_proxy::tunnel::TunnelError> {
    poll_fn(|context| tunnel.poll_flush(context)).await?;
    while !done(tunnel) {
        poll_fn(|context| tunnel.poll_fill(context, Ask::WhenReady)).await?;
    }
    Ok(())
}

/// What the core says inside TLS before it gives up.
fn bytes_from_core(pair: &Pair, tls: Arc<rustls::ClientConfig>) -> usize {
    let mut connection = rustls::ClientConnection::new(tls, server_name()).unwrap();
    let mut tcp = TcpStream::connect(pair.core).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = rustls::Stream::new(&mut connection, &mut tcp);
    let mut place = [0; 64];
    until("the core gives up", || match stream.read(&mut place) {
        Ok(count) => Some(count),
        Err(_) => Some(0),
    })
}

fn no_certificate() -> Arc<dyn rustls::client::ResolvesClientCert> {
    rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
        .client_auth_cert_resolver
}
