//! Containing devices: who may, what gateways are told and answer, what a revocation takes.
//!
//! The gateways here are clients with a gateway's identity: they hold leases, watch and
//! acknowledge when the test says so. How long is waited is in `containment_waits`.

use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::Client;
use kms_client::identity::{IdentityDir, Role};
use kms_client::model::{
    ContainLevel, ContainOrder, ContainmentReport, DataKeyKind, DeviceChange, DeviceState,
    GatewayRole, Inventory, NewDevice, WatchEvent, WatchEventKind,
};
use kms_client::reason::Reason;

use crate::harness::{Cluster, PATIENCE, eventually};

/// Enrols `mon-1`, for any gateway.
pub(crate) async fn enroll(cluster: &Cluster, allowance_s: u64) {
    let inventory = Inventory {
        vendor: "Acme".into(),
        ..Inventory::default()
    };
    let device = NewDevice {
        id: "mon-1".into(),
        inventory,
        offline_allowance: Some(Duration::from_secs(allowance_s)),
        ..NewDevice::default()
    };
    cluster.operator().enroll_device(&device).await.unwrap();
}

/// Orders a level for `mon-1`.
pub(crate) async fn contain(client: &Client, level: ContainLevel) -> ContainmentReport {
    let order = ContainOrder::of(level);
    client.contain_device("mon-1", &order).await.unwrap()
}

/// The ids of the gateways that an order waits for.
pub(crate) fn pending(report: &ContainmentReport) -> Vec<&str> {
    let ids = report.pending.iter();
    ids.map(|gateway| gateway.gateway_id.as_str()).collect()
}

async fn next(watch: &mut kms_client::Watch) -> WatchEvent {
    let next = tokio::time::timeout(PATIENCE, watch.next());
    next.await.expect("an event in time")
}

async fn change(watch: &mut kms_client::Watch) -> DeviceChange {
    loop {
        if let WatchEventKind::DeviceChanged(change) = next(watch).await.kind {
            return change;
        }
    }
}

fn reason<T>(result: Result<T, kms_client::Error>) -> Reason {
    result.err().expect("refused").reason()
}

// Mutation: without the comparison of epochs the first acknowledgement completes the second order.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_pending_until_every_gateway_acknowledged_it_and_no_older_one() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    let core = cluster.enlist(Role::Gateway, "core").await;
    enroll(&cluster, 60).await;
    let mut watch = edge.watch();
    assert_eq!(next(&mut watch).await.kind, WatchEventKind::Resync);

    let report = contain(&operator, ContainLevel::Observe).await;
    assert_eq!(pending(&report), ["core", "edge"]);
    // 10 s of lease and 60 s of allowance, and what clocks may differ.
    let remaining = report.pending[0].remaining;
    assert!(remaining > Duration::from_secs(60) && remaining < Duration::from_millis(70_900));
    let told = change(&mut watch).await;
    assert_eq!(
        (told.containment.epoch, told.containment.settled),
        (1, false)
    );
    contain(&operator, ContainLevel::Isolate).await;
    let told = change(&mut watch).await;
    assert_eq!(told.containment.level, ContainLevel::Isolate);
    assert_eq!(told.containment.by, operator.id().to_string());
    assert_eq!(told.offline_allowance, Duration::from_secs(60));
    assert_eq!(
        (told.device_id.as_str(), told.containment.epoch),
        ("mon-1", 2)
    );

    let describe = || operator.describe_containment("mon-1", Duration::ZERO);
    edge.acknowledge_containment("mon-1", 1).await.unwrap();
    assert_eq!(pending(&describe().await.unwrap()), ["core", "edge"]);
    let beforehand = edge.acknowledge_containment("mon-1", 3).await;
    assert_eq!(reason(beforehand), Reason::Conflict);
    for _ in 0..2 {
        edge.acknowledge_containment("mon-1", 2).await.unwrap();
    }
    assert_eq!(pending(&describe().await.unwrap()), ["core"]);
    let (waited, acknowledged) = tokio::join!(
        operator.describe_containment("mon-1", Duration::from_secs(1)),
        core.acknowledge_containment("mon-1", 2),
    );
    acknowledged.unwrap();
    assert!(
        waited.unwrap().is_complete(),
        "told as soon as it is complete"
    );
    eventually("the watch tells that nobody is waited for", || async {
        operator
            .describe_device("mon-1")
            .await
            .is_ok_and(|device| device.containment.settled)
    })
    .await;

    let released = operator.release_device("mon-1").await.unwrap();
    assert_eq!(released.containment.level, ContainLevel::None);
    assert_eq!(released.containment.epoch, 3);
    assert!(
        describe().await.unwrap().is_complete(),
        "a release waits for nobody"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_order_again_changes_nothing_and_what_makes_no_sense_is_refused() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    enroll(&cluster, 3_600).await;
    let mut order = ContainOrder::of(ContainLevel::Restrict);
    order.services = vec!["pacs".into(), "hl7".into(), "pacs".into()];
    order.case_id = Some("INC-7".into());
    for _ in 0..2 {
        let report = operator.contain_device("mon-1", &order).await.unwrap();
        let stands = report.device.containment;
        assert_eq!((stands.epoch, stands.case_id.as_str()), (1, "INC-7"));
        assert_eq!(stands.services, ["hl7", "pacs"]);
    }
    let mut refused = vec![ContainOrder::of(ContainLevel::None)];
    refused.push(ContainOrder::of(ContainLevel::Restrict));
    let mut services = ContainOrder::of(ContainLevel::Isolate);
    services.services = vec!["hl7".into()];
    refused.push(services);
    let mut case = ContainOrder::of(ContainLevel::Isolate);
    case.case_id = Some("two words".into());
    refused.push(case);
    for order in &refused {
        let answer = operator.contain_device("mon-1", order).await;
        assert_eq!(reason(answer), Reason::InvalidArgument, "{order:?}");
    }
    let isolate = ContainOrder::of(ContainLevel::Isolate);
    let unknown = operator.contain_device("mon-2", &isolate).await;
    assert_eq!(reason(unknown), Reason::DeviceNotFound);
    let day = Duration::from_secs(86_401);
    let beyond = operator.set_offline_allowance("mon-1", day).await;
    assert_eq!(reason(beyond), Reason::InvalidArgument);
    cluster.stop().await;
}

// Mutation: a policy that permits applications, or gateways, to contain.
#[tokio::test(flavor = "multi_thread")]
async fn operators_alone_contain_and_gateways_alone_hold_leases() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    let app = cluster.enlist(Role::App, "reader").await;
    enroll(&cluster, 3_600).await;
    let isolate = ContainOrder::of(ContainLevel::Isolate);
    for stranger in [&edge, &app] {
        let refusals = [
            reason(stranger.contain_device("mon-1", &isolate).await),
            reason(stranger.revoke_device("mon-1", None).await),
            reason(stranger.release_device("mon-1").await),
            reason(
                stranger
                    .set_offline_allowance("mon-1", Duration::ZERO)
                    .await,
            ),
            reason(stranger.describe_containment("mon-1", Duration::ZERO).await),
            reason(stranger.revoke_gateway("edge").await),
        ];
        assert_eq!(refusals, [Reason::Denied; 6]);
    }
    for stranger in [&operator, &app] {
        assert_eq!(reason(stranger.renew_lease().await), Reason::Denied);
        let acknowledged = stranger.acknowledge_containment("mon-1", 1).await;
        assert_eq!(reason(acknowledged), Reason::Denied);
    }
    let device = operator.describe_device("mon-1").await.unwrap();
    assert_eq!(device.containment.epoch, 0, "nothing was ordered");

    // What an application may not list, its watch does not tell it.
    let mut watch = app.watch();
    assert_eq!(next(&mut watch).await.kind, WatchEventKind::Resync);
    contain(&operator, ContainLevel::Isolate).await;
    let index = operator.seen_index();
    loop {
        match next(&mut watch).await.kind {
            WatchEventKind::Heartbeat { through_index } if through_index >= index => break,
            WatchEventKind::DeviceChanged(change) => panic!("{change:?}"),
            WatchEventKind::KeyChanged(_)
            | WatchEventKind::Heartbeat { .. }
            | WatchEventKind::Resync => {}
        }
    }
    cluster.stop().await;
}

// Mutation: heartbeats that name the applied index without telling what was changed up to there.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_names_an_index_that_the_watch_reaches_only_after_the_orders_before_it() {
    let cluster = Cluster::of_three().await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 3_600).await;
    let mut watches: Vec<_> = Vec::new();
    for n in 1..=3 {
        let folder = cluster.dir.path().join("gateway-edge");
        let client = Client::builder().dir(folder).only_node(n).open().unwrap();
        let mut watch = client.watch();
        assert_eq!(next(&mut watch).await.kind, WatchEventKind::Resync);
        watches.push((client, watch));
    }
    let mut told = [0_u64; 3];
    for round in 1..=20 {
        let level = if round % 2 == 0 {
            ContainLevel::Observe
        } else {
            ContainLevel::Isolate
        };
        let report = contain(&operator, level).await;
        let before = sys::clock::boottime();
        let lease = edge.renew_lease().await.unwrap();
        assert!(lease.sent_at >= before && lease.duration == Duration::from_secs(10));
        let epoch = report.device.containment.epoch;
        for ((client, watch), told) in watches.iter_mut().zip(&mut told) {
            loop {
                let event = next(watch).await;
                match event.kind {
                    WatchEventKind::DeviceChanged(change) => *told = change.containment.epoch,
                    WatchEventKind::Heartbeat { through_index } => {
                        if through_index >= lease.index {
                            break;
                        }
                    }
                    WatchEventKind::KeyChanged(_) => {}
                    // A busy machine may break a stream: what it missed is to be read then.
                    WatchEventKind::Resync => {
                        client.observe_index(event.applied_index);
                        let device = client.describe_device("mon-1").await.unwrap();
                        *told = device.containment.epoch;
                    }
                }
            }
            assert!(*told >= epoch, "round {round}: {told} of {epoch}");
        }
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_final_and_takes_the_identity_and_new_data_keys_and_leaves_the_archive() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    edge.announce_gateway(GatewayRole::Edge, None)
        .await
        .unwrap();
    enroll(&cluster, 0).await;
    let own = IdentityDir::new(cluster.dir.path().join("device-mon-1"));
    let csr = own.create_csr().unwrap();
    let issued = edge.issue_certificate(&csr, Some("mon-1")).await.unwrap();
    own.store_certificate(&issued.certificate, &issued.ca)
        .unwrap();
    let context = EncryptionContext::new();
    let kind = DataKeyKind::Object;
    let made = operator.generate_data_key("device/mon-1", &context, kind);
    let made = made.await.unwrap();
    let cache = kms_client::data_keys::DataKeyCache::start(operator.clone());
    let key = kms_client::model::KeySelector::from("device/mon-1");
    cache.get(&key, &context, 1).await.unwrap();

    let report = operator
        .revoke_device("mon-1", Some("INC-9"))
        .await
        .unwrap();
    assert_eq!(report.device.state, DeviceState::Revoked);
    assert_eq!(report.device.containment.level, ContainLevel::Revoke);
    let again = edge.issue_certificate(&csr, Some("mon-1")).await;
    assert_eq!(reason(again), Reason::DeviceRevoked);
    let device = Client::builder()
        .dir(own.path())
        .endpoints(
            IdentityDir::new(cluster.dir.path().join("operator"))
                .load_endpoints()
                .unwrap(),
        )
        .deadline(Duration::from_secs(3))
        .open()
        .unwrap();
    let renewed = device.issue_certificate(&csr, None).await;
    assert_eq!(reason(renewed), Reason::Denied);

    let refused = operator.generate_data_key("device/mon-1", &context, kind);
    assert_eq!(reason(refused.await), Reason::DeviceRevoked);
    let refused = operator.encrypt("device/mon-1", b"x", &context).await;
    assert_eq!(reason(refused), Reason::DeviceRevoked);
    eventually("the cached data key is withdrawn", || async {
        cache.try_get(&key, &context, 1).is_none()
    })
    .await;
    let opened = operator.unwrap_data_key(&made.wrapped, &made.context);
    let opened = opened.await.unwrap();
    assert_eq!(opened.secret.expose(), made.secret.expose());

    assert_eq!(
        reason(operator.release_device("mon-1").await),
        Reason::DeviceRevoked
    );
    let isolate = ContainOrder::of(ContainLevel::Isolate);
    let lowered = operator.contain_device("mon-1", &isolate).await;
    assert_eq!(reason(lowered), Reason::DeviceRevoked);
    let report = operator.revoke_device("mon-1", None).await.unwrap();
    assert_eq!(report.device.containment.epoch, 1, "it was revoked already");
    cluster.stop().await;
}

// Mutation: `settle` in the place of `settle_revocation` or `settle_unsecret`.
#[tokio::test(flavor = "multi_thread")]
async fn containment_goes_on_while_no_audit_record_can_be_written() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator_at(1);
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 0).await;
    let known = operator.list_devices().await.unwrap().remove(0);
    assert_eq!(known.inventory.unwrap().vendor, "Acme");
    let dir = cluster.nodes[0].file.data_dir.join("audit");
    std::fs::rename(&dir, dir.with_extension("away")).unwrap();

    let report = contain(&operator, ContainLevel::Isolate).await;
    assert_eq!(pending(&report), ["edge"]);
    // A gateway that comes back only now learns of it, and answers.
    edge.renew_lease().await.unwrap();
    let mut watch = edge.watch();
    assert_eq!(next(&mut watch).await.kind, WatchEventKind::Resync);
    let devices = edge.list_devices().await.unwrap();
    assert_eq!(devices[0].containment.level, ContainLevel::Isolate);
    // What nobody writes down leaves without the inventory.
    assert_eq!(
        (&report.device.inventory, &devices[0].inventory),
        (&None, &None)
    );
    let refused = operator.list_devices().await;
    assert_eq!(reason(refused), Reason::AuditUnavailable);
    edge.acknowledge_containment("mon-1", 1).await.unwrap();
    let waited = operator.describe_containment("mon-1", Duration::from_secs(1));
    let waited = waited.await.unwrap();
    assert!(waited.is_complete() && waited.device.inventory.is_none());
    // What gives rights back is recorded as other writes are, also when it is repeated.
    let observe = ContainOrder::of(ContainLevel::Observe);
    let lowered = operator.contain_device("mon-1", &observe).await;
    assert_eq!(reason(lowered), Reason::AuditUnavailable);
    let released = operator.release_device("mon-1").await;
    assert_eq!(reason(released), Reason::AuditUnavailable);
    contain(&operator, ContainLevel::Observe).await;
    operator.revoke_device("mon-1", None).await.unwrap();

    let context = EncryptionContext::new();
    let made = operator.generate_data_key("device/mon-1", &context, DataKeyKind::Object);
    assert!(made.await.is_err(), "nothing secret leaves");
    let set = operator
        .set_offline_allowance("mon-1", Duration::ZERO)
        .await;
    assert!(set.is_err());
    cluster.stop().await;
}
