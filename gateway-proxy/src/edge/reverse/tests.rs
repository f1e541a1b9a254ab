//! A tunnel on offer, with nothing but a core's end of it.

use std::net::Ipv4Addr;

use kms_client::identity::Role;
use kms_client::testing::Authority;
use kms_client::tls::{ALPN_TUNNEL, Dates, ExpectedPeer, client_config, server_config};
use tokio::net::TcpListener;

use super::*;
use crate::contain::Gates;
use crate::drain;
use crate::edge::Credentials;
use crate::limits::PING_TIMEOUT;
use crate::tunnel::handshake;

/// A tunnel that an edge has on offer, both ends of it.
async fn on_offer(drain: Watcher) -> (Offered, Tunnel, Tunnel) {
    let authority = Authority::new("ward.test");
    let device = authority.identity(Role::Device, "ct-1");
    let core = authority.identity(Role::Gateway, "core");
    let expected = |role| ExpectedPeer::of(authority.trust_domain(), &[role]);
    let edge_tls = client_config(&device, expected(Role::Gateway), ALPN_TUNNEL).unwrap();
    let devices = expected(Role::Device);
    let core_tls = server_config(&core, devices, Dates::Checked, ALPN_TUNNEL).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let route = ReverseRoute {
        device: "ct-1".parse().unwrap(),
        protocol: "dicom".parse().unwrap(),
        target: "127.0.0.1:1".parse().unwrap(),
        core: listener.local_addr().unwrap().to_string().parse().unwrap(),
        core_id: "core".parse().unwrap(),
        service: "back".parse().unwrap(),
    };
    let credentials = Credentials::default();
    credentials.replace(Arc::new(edge_tls));
    let reach = Reach::new(route.core.clone(), credentials, Arc::default());
    let pool = Arc::new(Pool::new(Arc::clone(&reach)));
    let accept = async {
        let (tcp, _) = listener.accept().await.unwrap();
        handshake::accept(tcp, Arc::new(core_tls)).await.unwrap()
    };
    let (taken, (at_core, _)) = tokio::join!(pool.fresh(), accept);
    let Taken {
        mut tunnel, made, ..
    } = taken.unwrap();
    tunnel.inbox.offer();
    let offered = Offered {
        shared: EdgeShared::new(Gates::default()),
        reverse: ReverseShared::new(route, reach),
        pool,
        made,
        drain,
        works: false,
    };
    (offered, tunnel, at_core)
}

#[tokio::test]
async fn a_core_that_drains_is_no_trouble() {
    let (_trigger, watcher) = drain::new();
    for drains in [true, false] {
        let (mut offered, mut tunnel, mut core) = on_offer(watcher.clone()).await;
        if drains {
            core.go_away().unwrap();
            std::future::poll_fn(|context| core.poll_flush(context))
                .await
                .unwrap();
        }
        core.close();
        let over = offered.wait(&mut tunnel).await;
        assert_eq!(matches!(over, Ok(None)), drains, "{over:?}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_by_its_own_answer_alone() {
    let (_trigger, watcher) = drain::new();
    let (offered, mut tunnel, mut core) = on_offer(watcher).await;
    let earlier = offered.pool.ping(&mut tunnel).unwrap();
    hear(&mut tunnel, &mut core).await;
    let ping = offered.pool.ping(&mut tunnel).unwrap();
    assert!(!ping.is_answered(&mut tunnel), "that was for {earlier:?}");
    hear(&mut tunnel, &mut core).await;
    assert!(ping.is_answered(&mut tunnel));
    assert!(!ping.is_overdue(sys::clock::monotonic()));
    assert!(ping.is_overdue(sys::clock::monotonic() + PING_TIMEOUT));
}

/// Hears what the core answers.
async fn hear(tunnel: &mut Tunnel, core: &mut Tunnel) {
    let answering = async {
        loop {
            core.hear().await.unwrap();
        }
    };
    tokio::select! {
        heard = tunnel.hear() => heard.unwrap(),
        () = answering => {}
    }
}
