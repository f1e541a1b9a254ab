//! A client without a certificate gets nothing from the core or from a node.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, Stream,
};

use crate::peer::AckServer;
use crate::stack::Plan;
use crate::wait::DEADLINE;

/// What was seen: who was tried, and how many bytes of application data each gave away.
pub struct Report {
    /// Listener and bytes.
    pub tried: Vec<(String, usize)>,
    /// Connections the server behind the core saw.
    pub upstream_connections: usize,
}

/// Runs it.
///
/// # Panics
/// When the stack does not come up.
pub fn run(ward: &Path, dir: &Path) -> Report {
    let server = AckServer::start();
    let mut plan = Plan::new(ward, dir.join("data"));
    plan.route("mon-1", "hl7", server.address);
    let stack = plan.start();
    let status = stack.json(&["cluster", "status"]);
    let mut tried = Vec::new();
    let listed = |kind: &str| status[kind].as_array().expect("an array").clone();
    for entry in listed("nodes").into_iter().chain(listed("gateways")) {
        let Some(address) = entry["address"].as_str().filter(|text| !text.is_empty()) else {
            continue;
        };
        let alpn: &[u8] = if entry["role"] == "core" {
            b"ward/1"
        } else {
            b"h2"
        };
        let bytes = bytes_given(address.parse().expect("an address"), alpn);
        tried.push((format!("{} {address}", entry["role"]), bytes));
    }
    let report = Report {
        tried,
        upstream_connections: server.connections(),
    };
    stack.stop();
    report
}

/// How much application data a listener sends to a stranger that says hello in its protocol.
fn bytes_given(address: SocketAddr, alpn: &[u8]) -> usize {
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring has TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer))
            .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::from(address.ip());
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a name");
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let mut stream = Stream::new(&mut connection, &mut socket);
    let mut answer = Vec::new();
    // Either call may fail: being refused is what we hope for. Silence is no refusal.
    let asked = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let read = stream.read_to_end(&mut answer);
    let refused = asked.and(read.map(drop));
    assert!(
        refused.is_err_and(|error| error.kind() != ErrorKind::WouldBlock),
        "a stranger was not refused by {address}"
    );
    answer.len()
}

/// Trusts any server: the stranger does not care whom it robs.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
