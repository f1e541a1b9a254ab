//! Handshakes in memory: who gets in, who does not, and by what.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, ServerConfig,
    ServerConnection,
};
use rustls_pki_types::UnixTime;

use super::authority::{ClientVerifier, ServerVerifier};
use super::*;
use crate::identity::{Identity, Role, spki_sha256};
use crate::testing::{Authority, Life};

/// Runs a handshake to its end; answers each side's error.
fn shake(
    client: ClientConfig,
    server: ServerConfig,
) -> (
    Result<(), rustls::Error>,
    Result<ServerConnection, rustls::Error>,
) {
    let mut client = ClientConnection::new(Arc::new(client), server_name()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let (mut client_says, mut server_says) = (Ok(()), Ok(()));
    for _ in 0..6 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server_says = server_says.and(feed_server(&mut server, &wire));
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client_says = client_says.and(feed_client(&mut client, &wire));
    }
    (client_says, server_says.map(|()| server))
}

fn feed_server(server: &mut ServerConnection, mut wire: &[u8]) -> Result<(), rustls::Error> {
    while !wire.is_empty() {
        server.read_tls(&mut wire).unwrap();
        server.process_new_packets()?;
    }
    Ok(())
}

fn feed_client(client: &mut ClientConnection, mut wire: &[u8]) -> Result<(), rustls::Error> {
    while !wire.is_empty() {
        client.read_tls(&mut wire).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

fn nodes(authority: &Authority) -> ExpectedPeer {
    ExpectedPeer::of(authority.trust_domain(), &[Role::Node])
}

fn apps(authority: &Authority) -> ExpectedPeer {
    ExpectedPeer::of(authority.trust_domain(), &[Role::App, Role::Operator])
}

fn serve(authority: &Authority, dates: Dates) -> ServerConfig {
    let node = authority.identity(Role::Node, "1");
    server_config(&node, apps(authority), dates, ALPN_H2).unwrap()
}

fn connect(authority: &Authority, identity: &Identity) -> ClientConfig {
    client_config(identity, nodes(authority), ALPN_H2).unwrap()
}

fn is_refused_peer(error: &rustls::Error) -> bool {
    *error == super::authority::refused()
        || matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.0.is::<RefusedPeer>())
}

#[test]
fn both_sides_learn_who_the_other_is() {
    let authority = Authority::new("ward.test");
    let app = authority.identity(Role::App, "reader");
    let (client, server) = shake(connect(&authority, &app), serve(&authority, Dates::Checked));
    client.unwrap();
    let server = server.unwrap();
    assert_eq!(
        peer_identity(server.peer_certificates()).unwrap(),
        *app.id()
    );
    assert_eq!(
        peer_facts(server.peer_certificates()).unwrap(),
        *app.facts()
    );
    assert_eq!(server.alpn_protocol(), Some(ALPN_H2));
}

#[test]
fn no_certificate_no_identity() {
    assert_eq!(
        peer_identity(None).unwrap_err().reason(),
        Reason::Unauthenticated
    );
    let authority = Authority::new("ward.test");
    let pin = spki_sha256(&authority.certificate()).unwrap();
    let mut anonymous = join_client_config(pin).unwrap();
    anonymous.alpn_protocols = vec![ALPN_H2.to_vec()];
    let node = authority.identity(Role::Node, "1");
    let mut server = serve(&authority, Dates::Checked);
    // Send the authority along, so that only the missing client certificate is refused.
    server.cert_resolver = join_server_config(&node).unwrap().cert_resolver;
    let (client, server) = shake(anonymous, server);
    assert_eq!(
        server.err().unwrap(),
        rustls::Error::NoCertificatesPresented
    );
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
    assert_eq!(client.unwrap_err(), alert);
}

#[test]
fn a_client_of_another_authority_is_refused() {
    let (ours, theirs) = (Authority::new("ward.test"), Authority::new("ward.test"));
    let stranger = theirs.identity(Role::App, "reader");
    // It even trusts our authority; only its own certificate is foreign.
    let key_of_theirs = connect(&ours, &ours.identity(Role::App, "x"));
    let mut config = key_of_theirs;
    config.client_auth_cert_resolver = connect(&theirs, &stranger).client_auth_cert_resolver;
    let (client, server) = shake(config, serve(&ours, Dates::LeftToTheServer));
    assert!(matches!(
        server.err().unwrap(),
        rustls::Error::InvalidCertificate(_)
    ));
    assert!(matches!(
        client.unwrap_err(),
        rustls::Error::AlertReceived(_)
    ));
}

#[test]
fn a_server_of_another_authority_domain_role_or_id_is_refused() {
    let authority = Authority::new("ward.test");
    let app = authority.identity(Role::App, "reader");
    let other = Authority::new("ward.test");
    let foreign = client_config(&other.identity(Role::App, "x"), nodes(&authority), ALPN_H2);
    let (client, _) = shake(foreign.unwrap(), serve(&authority, Dates::Checked));
    assert!(matches!(
        client.unwrap_err(),
        rustls::Error::InvalidCertificate(_)
    ));

    for expected in [
        ExpectedPeer::of("other.test", &[Role::Node]),
        ExpectedPeer::of("ward.test", &[Role::Gateway]),
        nodes(&authority).with_id("2"),
    ] {
        let config = client_config(&app, expected, ALPN_H2).unwrap();
        let (client, _) = shake(config, serve(&authority, Dates::Checked));
        assert!(is_refused_peer(&client.unwrap_err()));
    }
    let config = client_config(&app, nodes(&authority).with_id("1"), ALPN_H2).unwrap();
    shake(config, serve(&authority, Dates::Checked)).0.unwrap();
}

#[test]
fn a_client_of_the_wrong_role_is_refused() {
    let authority = Authority::new("ward.test");
    let device = authority.identity(Role::Device, "mon-1");
    let (_, server) = shake(
        connect(&authority, &device),
        serve(&authority, Dates::Checked),
    );
    assert!(is_refused_peer(&server.err().unwrap()));
}

#[test]
fn expired_certificates_are_refused_or_left_to_the_server() {
    let authority = Authority::new("ward.test");
    let expired = authority.identity_for(Role::App, "reader", Life::OVER);
    let (client, server) = shake(
        connect(&authority, &expired),
        serve(&authority, Dates::Checked),
    );
    assert!(matches!(
        server.err().unwrap(),
        rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })
    ));
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
    assert_eq!(client.unwrap_err(), alert);

    let lenient = serve(&authority, Dates::LeftToTheServer);
    let (client, server) = shake(connect(&authority, &expired), lenient);
    client.unwrap();
    let facts = peer_facts(server.unwrap().peer_certificates()).unwrap();
    assert!(facts.is_expired(sys::clock::wall_ms()));

    let node = authority.identity_for(Role::Node, "1", Life::OVER);
    let stale = server_config(&node, apps(&authority), Dates::Checked, ALPN_H2).unwrap();
    let app = authority.identity(Role::App, "reader");
    let (client, _) = shake(connect(&authority, &app), stale);
    assert!(matches!(
        client.unwrap_err(),
        rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })
    ));
}

#[test]
fn a_clock_that_is_behind_refuses_nobody() {
    let authority = Authority::new("ward.test");
    let of_1970 = UnixTime::since_unix_epoch(Duration::from_secs(60));
    let app = authority.identity(Role::App, "reader");
    let server = ClientVerifier::new(app.ca(), apps(&authority), Dates::Checked).unwrap();
    server
        .verify_client_cert(app.certificate(), &[], of_1970)
        .unwrap();

    let node = authority.identity(Role::Node, "1");
    let client = ServerVerifier::new(node.ca(), nodes(&authority)).unwrap();
    client
        .verify_server_cert(node.certificate(), &[], &server_name(), &[], of_1970)
        .unwrap();
}

#[test]
fn nodes_know_each_other_by_key_whatever_the_dates_and_the_authority() {
    let (one, two) = (Authority::new("ward.test"), Authority::new("ward.test"));
    let first = one.identity_for(Role::Node, "1", Life::OVER);
    let second = two.identity_for(Role::Node, "2", Life::OVER);
    let only = |identity: &Identity| -> TrustedKeys {
        let key = identity.facts().spki_sha256;
        Arc::new(move |candidate| *candidate == key)
    };
    let client = |trusted| pinned_client_config(&first, trusted, ALPN_H2).unwrap();
    let server = |trusted| pinned_server_config(&second, trusted, ALPN_H2).unwrap();
    let (said, heard) = shake(client(only(&second)), server(only(&first)));
    said.unwrap();
    heard.unwrap();
    let (said, _) = shake(client(only(&first)), server(only(&first)));
    assert!(is_refused_peer(&said.unwrap_err()));
    let (_, heard) = shake(client(only(&second)), server(only(&second)));
    assert!(is_refused_peer(&heard.err().unwrap()));
}

#[test]
fn a_stolen_certificate_without_its_key_does_not_pass_the_pin() {
    let authority = Authority::new("ward.test");
    let (node, thief) = (
        authority.identity(Role::Node, "1"),
        authority.identity(Role::Node, "2"),
    );
    let key = thief.certified().key.clone();
    let stolen = rustls::sign::CertifiedKey::new(node.certified().cert.clone(), key);
    let trusted: TrustedKeys = {
        let key = node.facts().spki_sha256;
        Arc::new(move |candidate| *candidate == key)
    };
    let mut server = pinned_server_config(&thief, Arc::clone(&trusted), ALPN_H2).unwrap();
    server.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
    let client = pinned_client_config(&node, trusted, ALPN_H2).unwrap();
    let (client, _) = shake(client, server);
    assert_eq!(
        client.unwrap_err(),
        rustls::Error::InvalidCertificate(CertificateError::BadSignature)
    );
}

#[test]
fn a_joiner_trusts_only_a_node_of_the_pinned_authority() {
    let (ours, theirs) = (Authority::new("ward.test"), Authority::new("ward.test"));
    let pin = spki_sha256(&ours.certificate()).unwrap();
    let node = ours.identity_for(Role::Node, "1", Life::OVER);
    let listener = |identity: &Identity| join_server_config(identity).unwrap();
    let joiner = || join_client_config(pin).unwrap();
    shake(joiner(), listener(&node)).0.unwrap();

    let (refused, _) = shake(joiner(), listener(&theirs.identity(Role::Node, "1")));
    assert!(is_refused_peer(&refused.unwrap_err()));
    let (refused, _) = shake(joiner(), listener(&ours.identity(Role::Gateway, "edge")));
    assert!(is_refused_peer(&refused.unwrap_err()));

    // A stranger may send our authority's certificate along: its own is still not signed by it.
    let stranger = theirs.identity(Role::Node, "1");
    let chain = vec![stranger.certificate().clone(), ours.certificate()];
    let mixed = rustls::sign::CertifiedKey::new(chain, stranger.certified().key.clone());
    let mut config = listener(&stranger);
    config.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(mixed));
    let (refused, _) = shake(joiner(), config);
    assert!(matches!(
        refused.unwrap_err(),
        rustls::Error::InvalidCertificate(_)
    ));
}

#[test]
fn nothing_can_be_resumed() {
    let authority = Authority::new("ward.test");
    let config = serve(&authority, Dates::Checked);
    assert_eq!(config.send_tls13_tickets, 0);
    assert!(!config.session_storage.can_cache());
    assert_eq!(config.max_early_data_size, 0);
}
