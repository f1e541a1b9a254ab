//! The Prometheus page: counters of the stack, and gauges read when the page is asked for.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use ward_proto::v1::GetClusterStatusResponse;

use super::role;
use super::told::Told;
use crate::api::cluster;
use crate::node::context::Node;
use crate::replica::ReplicaRole;

/// Installs the recorder, once a process; several nodes in one process (as in tests) share it.
pub(super) fn install() {
    HANDLE.get_or_init(|| {
        // Members that left are told of no longer.
        let builder =
            PrometheusBuilder::new().idle_timeout(MetricKindMask::GAUGE, Some(GAUGE_IDLE));
        let builder = builder.set_buckets(&LATENCY_BUCKETS_S);
        let installed = builder.and_then(PrometheusBuilder::install_recorder);
        if let Err(error) = &installed {
            tracing::warn!(%error, "metrics cannot be recorded");
        }
        installed.ok()
    });
}

/// The page of `node`; `told` is what its members have told other pages.
pub(super) async fn page(node: &Node, told: &Told) -> String {
    let status = told.or(cluster::status::gather(node)).await;
    health(&status);
    let status = node.replica.status();
    for known in ROLES {
        gauge!("ward_raft_role", "role" => role(known)).set(flag(known == status.role));
    }
    gauge!("ward_raft_term").set(count(status.term));
    gauge!("ward_raft_last_log_index").set(count(status.last_log_index));
    gauge!("ward_raft_applied_index").set(count(status.applied_index));
    gauge!("ward_raft_snapshot_index").set(count(status.snapshot_index));
    gauge!("ward_sealed").set(flag(node.vault.is_sealed()));
    gauge!("ward_audit_available").set(flag(node.audit.is_available()));
    gauge!("ward_quota_identities").set(count(node.quotas.len() as u64));
    audit(node);
    match HANDLE.get().and_then(Option::as_ref) {
        Some(handle) => {
            handle.run_upkeep();
            handle.render()
        }
        None => String::new(),
    }
}

/// How the cluster does, as `ward cluster status` tells it; ids are those of members.
fn health(status: &GetClusterStatusResponse) {
    let health = status.health.unwrap_or_default();
    gauge!("ward_cluster_healthy").set(flag(health.healthy));
    gauge!("ward_cluster_failure_tolerance").set(f64::from(health.failure_tolerance));
    let voters = status.nodes.iter().filter(|node| node.voter).count();
    gauge!("ward_cluster_voters").set(count(voters as u64));
    for node in &status.nodes {
        let id = || node.node_id.to_string();
        gauge!("ward_node_healthy", "node" => id()).set(flag(node.ailments.is_empty()));
        // Where no leader tells nothing is known; what it told last would look as if it were.
        let lag = node.lag_entries.map_or(f64::NAN, count);
        gauge!("ward_node_lag_entries", "node" => id()).set(lag);
        let contact = node.last_contact_ms.map_or(f64::NAN, count) / 1_000.0;
        gauge!("ward_node_last_contact_seconds", "node" => id()).set(contact);
    }
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// How far behind the log its anchor is, in lines and in time.
fn audit(node: &Node) {
    let (line, time_ms) = node.replica.read(|index| {
        let trail = index.audit_trail(node.id);
        let newest = trail.and_then(|trail| trail.anchors.last());
        newest.map_or((0, 0), |anchor| (anchor.sequence, anchor.time_ms))
    });
    let behind = node.audit.head().sequence.saturating_sub(line);
    gauge!("ward_audit_unanchored_lines").set(count(behind));
    if time_ms > 0 {
        let age_ms = sys::clock::wall_ms().saturating_sub(time_ms);
        gauge!("ward_audit_anchored_age_seconds").set(count(age_ms) / 1_000.0);
    }
}

/// Prometheus counts in doubles: exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn count(value: u64) -> f64 {
    value as f64
}

/// A gauge that is not set for so long is that of something that is gone: the page sets its own,
/// and what else is here is set every second.
const GAUGE_IDLE: Duration = Duration::from_secs(60);

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

const ROLES: [ReplicaRole; 5] = [
    ReplicaRole::Leader,
    ReplicaRole::Follower,
    ReplicaRole::Learner,
    ReplicaRole::Candidate,
    ReplicaRole::Stopped,
];

const LATENCY_BUCKETS_S: [f64; 12] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0,
];

#[cfg(test)]
mod tests {
    use ward_proto::v1::NodeStatus;

    use super::*;

    // Mutation: a gauge that keeps its last value says that a node keeps up of which nobody tells.
    #[test]
    fn what_no_leader_tells_is_no_number() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = |lag_entries, last_contact_ms| {
            let node = NodeStatus {
                node_id: 3,
                lag_entries,
                last_contact_ms,
                ..NodeStatus::default()
            };
            let status = GetClusterStatusResponse {
                nodes: vec![node],
                ..GetClusterStatusResponse::default()
            };
            metrics::with_local_recorder(&recorder, || health(&status));
            recorder.handle().render()
        };
        let told = page(Some(7), Some(250));
        assert!(
            told.contains("ward_node_lag_entries{node=\"3\"} 7\n"),
            "{told}"
        );
        let seconds = "ward_node_last_contact_seconds{node=\"3\"}";
        assert!(told.contains(&format!("{seconds} 0.25\n")), "{told}");
        let silent = page(None, None);
        assert!(
            silent.contains("ward_node_lag_entries{node=\"3\"} NaN\n"),
            "{silent}"
        );
        assert!(silent.contains(&format!("{seconds} NaN\n")), "{silent}");
    }
}
