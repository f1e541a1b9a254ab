//! `ward cluster status`.

use kms_client::model::{ClusterStatus, GatewayStatus, NodeStatus};
use serde::Serialize;

use super::client;
use crate::cli::Global;
use crate::error::Failure;
use crate::node_names::NodeNames;
use crate::output::{Answer, answer};
use crate::text::Table;

/// Shows leader, nodes and gateways.
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
    nodes: Vec<NodeView>,
    gateways: Vec<GatewayView>,
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
    sealed: bool,
    applied_index: u64,
    /// Null when it does not answer.
    pid: Option<u32>,
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
        let node = |node: NodeStatus| NodeView {
            id: names.number_of(node.id.0),
            node_id: node.id.0,
            address: node.api_address,
            role: node.role.as_str(),
            sealed: node.sealed,
            applied_index: node.applied_index,
            pid: node.pid,
        };
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
            nodes: status.nodes.into_iter().map(node).collect(),
            gateways: status.gateways.into_iter().map(gateway).collect(),
        }
    }
}

impl Answer for StatusView {
    fn text(&self) -> String {
        let leader = match self.leader {
            Some(id) => format!("node-{id}"),
            None => "none known".to_owned(),
        };
        let mut nodes = Table::new(&["NODE", "ROLE", "ADDRESS", "SEALED", "APPLIED", "PID"]);
        for node in &self.nodes {
            nodes.row([
                node.id.map_or_else(
                    || format!("formerly id {}", node.node_id),
                    |number| format!("node-{number}"),
                ),
                node.role.to_owned(),
                node.address.clone(),
                if node.sealed { "yes" } else { "no" }.to_owned(),
                node.applied_index.to_string(),
                node.pid
                    .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            ]);
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
        format!("cluster {id}, leader {leader}\n\n{nodes}\n{gateways}")
    }
}
