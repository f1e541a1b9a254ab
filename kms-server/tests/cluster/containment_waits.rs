//! How long an order waits for a gateway that is never heard of, whoever leads meanwhile.

use std::time::{Duration, Instant};

use kms_client::Client;
use kms_client::identity::Role;
use kms_client::model::{ContainLevel, NodeRole};
use kms_client::reason::Reason;

use crate::containment::{contain, enroll, pending};
use crate::harness::{Cluster, RunningNode, eventually};

const LEASE: Duration = Duration::from_millis(400);

/// How much of a wait is over when another node comes to lead.
const SPENT: Duration = Duration::from_secs(2);

/// LEASE and an allowance of a second, with 1 % and 100 ms to spare.
const WHOLE: Duration = Duration::from_millis(1_514);

// Mutation: a deadline that leaves the allowance, the lease or the spare time out.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_cut_off_is_waited_for_until_it_can_forward_no_longer() {
    let cluster = Cluster::leasing(Some(LEASE)).await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 1).await;
    assert_eq!(edge.renew_lease().await.unwrap().duration, LEASE);
    let began = sys::clock::monotonic();
    let mut report = contain(&operator, ContainLevel::Isolate).await;
    assert_eq!(pending(&report), ["edge"]);
    assert!(report.pending[0].remaining <= WHOLE);
    while !report.is_complete() {
        let wait = Duration::from_secs(1);
        report = operator.describe_containment("mon-1", wait).await.unwrap();
    }
    let took = sys::clock::monotonic() - began;
    assert!(took >= WHOLE, "complete after {took:?}");
    assert!(
        took < WHOLE + Duration::from_secs(5),
        "complete after {took:?}"
    );
    eventually("that is recorded", || async {
        let device = operator.describe_device("mon-1").await;
        device.is_ok_and(|device| device.containment.settled)
    })
    .await;
    cluster.stop().await;
}

// Mutation: waits that outlive the term they began in.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_begins_the_wait_anew_and_a_settled_order_stays_settled() {
    let lease = Duration::from_secs(60);
    let mut cluster = Cluster::three_leasing(Some(lease)).await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 0).await;
    contain(&operator, ContainLevel::Observe).await;
    edge.acknowledge_containment("mon-1", 1).await.unwrap();
    eventually("the first order is settled", || async {
        let device = operator.describe_device("mon-1").await;
        device.is_ok_and(|device| device.containment.settled)
    })
    .await;
    let first = stop_leader(&mut cluster).await;
    let settled = operator.describe_containment("mon-1", Duration::ZERO);
    assert!(settled.await.unwrap().is_complete());

    contain(&operator, ContainLevel::Isolate).await;
    let former = end_of_wait(&operator).await;
    restart(&mut cluster, first, lease).await;
    until_a_part_is_over(former, lease).await;
    let second = stop_leader(&mut cluster).await;
    let later = end_of_wait(&operator).await - former;
    assert!(later > SPENT / 2, "the wait ends {later:?} later");
    // What was acknowledged counts under every leader.
    edge.acknowledge_containment("mon-1", 2).await.unwrap();
    let report = operator.describe_containment("mon-1", Duration::from_secs(1));
    assert!(report.await.unwrap().is_complete());
    for (at, node) in cluster.nodes.iter_mut().enumerate() {
        if at != second {
            node.stop().await;
        }
    }
}

/// When the wait for the one gateway ends at the latest: it comes no nearer, unless the wait begins
/// anew.
async fn end_of_wait(operator: &Client) -> Instant {
    let report = operator.describe_containment("mon-1", Duration::ZERO);
    let remaining = report.await.unwrap().pending[0].remaining;
    sys::clock::monotonic() + remaining
}

/// Waits until a part of a wait is over that ends then.
async fn until_a_part_is_over(end: Instant, lease: Duration) {
    eventually("a part of the time is over", || async {
        end.saturating_duration_since(sys::clock::monotonic()) < lease - SPENT
    })
    .await;
}

/// Stops whoever leads, and tells which one that was.
async fn stop_leader(cluster: &mut Cluster) -> usize {
    let status = cluster.operator().cluster_status().await.unwrap();
    let at = usize::try_from(status.leader.unwrap().0).unwrap() - 1;
    cluster.nodes[at].stop().await;
    at
}

/// Starts a node again, and waits until it votes and has caught up.
async fn restart(cluster: &mut Cluster, at: usize, lease: Duration) {
    let file = cluster.nodes[at].file.clone();
    cluster.nodes[at] = RunningNode::start_leasing(file, Some(lease)).await;
    let client = cluster.operator();
    eventually("the node follows again", || async {
        let Ok(status) = client.cluster_status().await else {
            return false;
        };
        let newest = status.nodes.iter().map(|node| node.applied_index).max();
        let back = status.nodes.iter().find(|node| node.id.0 == at as u64 + 1);
        back.is_some_and(|node| {
            node.role == NodeRole::Follower && Some(node.applied_index) == newest
        })
    })
    .await;
}

// Mutation: a lease without a read barrier.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_grants_no_lease() {
    let mut cluster = Cluster::three_leasing(None).await;
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    edge.renew_lease().await.unwrap();
    let folder = cluster.dir.path().join("gateway-edge");
    for at in 0..2 {
        cluster.nodes[at].stop().await;
    }
    let client = kms_client::Client::builder()
        .dir(folder)
        .only_node(3)
        .deadline(Duration::from_secs(6))
        .open()
        .unwrap();
    let refused = client.renew_lease().await.err().unwrap().reason();
    // The last attempt may be cut short by the client's own patience.
    let expected = [Reason::NoLeader, Reason::NoQuorum, Reason::Deadline];
    assert!(expected.contains(&refused), "{refused}");
    cluster.nodes[2].stop().await;
}

// Mutation: a wait that goes on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_outlives_a_restart_and_waits_anew() {
    let lease = Duration::from_secs(60);
    let mut cluster = Cluster::leasing(Some(lease)).await;
    let operator = cluster.operator();
    cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 0).await;
    contain(&operator, ContainLevel::Isolate).await;
    let former = end_of_wait(&operator).await;
    until_a_part_is_over(former, lease).await;
    let file = cluster.nodes[0].file.clone();
    cluster.nodes[0].stop().await;
    cluster.nodes[0] = RunningNode::start_leasing(file, Some(lease)).await;
    let report = operator.describe_containment("mon-1", Duration::ZERO);
    let report = report.await.unwrap();
    assert_eq!(report.device.containment.level, ContainLevel::Isolate);
    assert_eq!(pending(&report), ["edge"]);
    // However long the restart took: the wait ends later by that and by what was over before.
    let later = end_of_wait(&operator).await - former;
    assert!(later > SPENT / 2, "the wait ends {later:?} later");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_allowance_counts_once_it_was_heard_or_is_over() {
    let cluster = Cluster::leasing(Some(LEASE)).await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 600).await;
    let device = operator.set_offline_allowance("mon-1", Duration::ZERO);
    let device = device.await.unwrap();
    assert_eq!(
        (device.offline_allowance, device.containment.epoch),
        (Duration::ZERO, 1)
    );
    // The gateway has not heard of it: it may go on for ten minutes.
    let report = contain(&operator, ContainLevel::Isolate).await;
    assert!(report.pending[0].remaining > Duration::from_secs(590));
    let refused = operator.set_offline_allowance("mon-1", Duration::from_secs(5));
    assert_eq!(refused.await.err().unwrap().reason(), Reason::Conflict);
    edge.acknowledge_containment("mon-1", 2).await.unwrap();
    eventually("all is heard", || async {
        let device = operator.describe_device("mon-1").await;
        device.is_ok_and(|device| device.containment.settled)
    })
    .await;
    operator.release_device("mon-1").await.unwrap();
    let report = contain(&operator, ContainLevel::Isolate).await;
    assert!(report.is_complete() || report.pending[0].remaining <= Duration::from_secs(1));
    cluster.stop().await;
}

// Mutation: a revoked gateway that is forgotten at once, or never.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_gateway_gets_no_lease_and_is_waited_for_once_more() {
    let cluster = Cluster::leasing(Some(LEASE)).await;
    let operator = cluster.operator();
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 1).await;
    edge.renew_lease().await.unwrap();
    operator.revoke_gateway("edge").await.unwrap();
    assert_eq!(
        edge.renew_lease().await.err().unwrap().reason(),
        Reason::Denied
    );
    let mut report = contain(&operator, ContainLevel::Isolate).await;
    assert_eq!(pending(&report), ["edge"]);
    while !report.is_complete() {
        let wait = Duration::from_secs(1);
        report = operator.describe_containment("mon-1", wait).await.unwrap();
    }
    operator.release_device("mon-1").await.unwrap();
    assert!(
        contain(&operator, ContainLevel::Isolate)
            .await
            .is_complete()
    );
    let unknown = operator.revoke_gateway("nobody").await;
    assert_eq!(unknown.err().unwrap().reason(), Reason::GatewayNotFound);
    cluster.stop().await;
}
