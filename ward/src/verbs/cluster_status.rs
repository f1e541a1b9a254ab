//! `ward cluster status`.

use kms_client::model::{ClusterStatus, GatewayStatus, NodeStatus};
use serde::Serialize;

use super::client;
use super::cluster_health::{self, State};
use crate::cli::Global;
use crate::error::Failure;
use crate::node_names::NodeNames;
use crate::output::{Answer, answer};
use crate::text::Table;

/// Shows leader, health, nodes and gateways.
pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let status = client(global)?.cluster_status().await?;
    let names = NodeNames::load(&global.data_dir)?;
    answer(global.format(), &StatusView::new(status, &names))
}

/// The cluster, as shown.
#[derive(Serialize)]
struct StatusView {
    cluster_id: String,
    /// The N of `node-N`.
    leader: Option<u64>,
    served_by: Option<u64>,
    /// How far the node that answered has applied the log.
    applied_index: u64,
    /// Null when an older node answered.
    healthy: Option<bool>,
    /// How many voters may still fail; null when an older node answered.
    failure_tolerance: Option<u32>,
    /// The format of the state; null when an older node answered.
    format_version: Option<u32>,
    nodes: Vec<NodeView>,
    gateways: Vec<GatewayView>,
    #[serde(skip)]
    summary: String,
}

/// A node, as shown.
#[derive(Serialize)]
struct NodeView {
    /// The N of `node-N`; null for the former self of a node that joined again.
    id: Option<u64>,
    /// What the cluster knows it by.
    node_id: u64,
    address: String,
    role: &'static str,
    voter: bool,
    sealed: bool,
    applied_index: u64,
    /// Null when it does not answer.
    pid: Option<u32>,
    healthy: bool,
    ailments: Vec<&'static str>,
    /// Null for the leader, and where no leader tells.
    last_contact_ms: Option<u128>,
    /// Null where no leader tells.
    lag_entries: Option<u64>,
    /// For how long it keeps up; null when it does not.
    steady_ms: Option<u128>,
    /// The newest format that its program knows; null when it does not tell.
    format_known: Option<u32>,
    #[serde(skip)]
    state: String,
}

/// A gateway, as shown.
#[derive(Serialize)]
struct GatewayView {
    id: String,
    role: &'static str,
    address: Option<String>,
    pid: u32,
}

impl StatusView {
    fn new(status: ClusterStatus, names: &NodeNames) -> Self {
        let health = status.health;
        let name = |node: &NodeStatus| name(names.number_of(node.id.0), node.id.0);
        let states: Vec<_> = status
            .nodes
            .iter()
            .map(|node| State::of(node, health.as_ref()))
            .collect();
        let told = status.nodes.iter().map(name).zip(&states);
        let summary = cluster_health::summary(health.as_ref(), told);
        let nodes = status.nodes.into_iter().zip(states);
        let gateway = |gateway: GatewayStatus| GatewayView {
            id: gateway.id,
            role: gateway.role.as_str(),
            address: gateway.address,
            pid: gateway.pid,
        };
        Self {
            cluster_id: status.cluster_id.to_string(),
            leader: status.leader.and_then(|leader| names.number_of(leader.0)),
            served_by: names.number_of(status.served_by.0),
            applied_index: status.applied_index,
            healthy: health.map(|health| health.healthy),
            failure_tolerance: health.map(|health| health.failure_tolerance),
            format_version: status.format_version,
            nodes: nodes
                .map(|(node, state)| NodeView::new(node, &state, names))
                .collect(),
            gateways: status.gateways.into_iter().map(gateway).collect(),
            summary,
        }
    }
}

impl NodeView {
    fn new(node: NodeStatus, state: &State, names: &NodeNames) -> Self {
        Self {
            id: names.number_of(node.id.0),
            node_id: node.id.0,
            address: node.api_address,
            role: node.role.as_str(),
            voter: node.voter,
            sealed: node.sealed,
            applied_index: node.applied_index,
            pid: node.pid,
            healthy: node.ailments.is_empty(),
            ailments: node.ailments.iter().map(|it| it.as_str()).collect(),
            last_contact_ms: node.last_contact.map(|it| it.as_millis()),
            lag_entries: node.lag_entries,
            steady_ms: node.steady.map(|it| it.as_millis()),
            format_known: node.format_known,
            state: state.to_string(),
        }
    }

    fn row(&self) -> [String; 8] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            name(self.id, self.node_id),
            self.role.to_owned(),
            self.address.clone(),
            if self.sealed { "yes" } else { "no" }.to_owned(),
            self.applied_index.to_string(),
            or_dash(self.lag_entries.map(|lag| lag.to_string())),
            or_dash(self.pid.map(|pid| pid.to_string())),
            self.state.clone(),
        ]
    }
}

impl StatusView {
    /// What is said while nodes go to a newer version one after the other.
    fn upgrade(&self) -> String {
        let newest = self.nodes.iter().filter_map(|node| node.format_known).max();
        match (self.format_version, newest) {
            (Some(present), Some(newest)) if newest > present => {
                format!("format {present}, until every node knows {newest}\n")
            }
            (Some(_) | None, _) => String::new(),
        }
    }
}

fn name(number: Option<u64>, node_id: u64) -> String {
    match number {
        Some(number) => format!("node-{number}"),
        None => format!("formerly id {node_id}"),
    }
}

impl Answer for StatusView {
    fn text(&self) -> String {
        let leader = match self.leader {
            Some(id) => format!("node-{id}"),
            None => "none known".to_owned(),
        };
        let mut nodes = Table::new(&[
            "NODE", "ROLE", "ADDRESS", "SEALED", "APPLIED", "LAG", "PID", "HEALTH",
        ]);
        for node in &self.nodes {
            nodes.row(node.row());
        }
        let mut gateways = Table::new(&["GATEWAY", "ROLE", "TUNNEL", "PID"]);
        for gateway in &self.gateways {
            gateways.row([
                gateway.id.clone(),
                gateway.role.to_owned(),
                gateway.address.clone().unwrap_or_default(),
                gateway.pid.to_string(),
            ]);
        }
        let (id, nodes, gateways) = (&self.cluster_id, nodes.text(), gateways.text());
        let (summary, format) = (&self.summary, self.upgrade());
        format!("cluster {id}, leader {leader}\n{summary}{format}\n{nodes}\n{gateways}")
    }
}
