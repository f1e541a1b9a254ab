//! The cluster, as the node that answered sees it.

use std::fmt;
use std::str::FromStr;

use envelope::id::ClusterId;
use ward_proto::v1;

use super::{id_from_wire, malformed_answer};
use crate::error::Error;
use crate::identity::NodeId;
use crate::reason::Reason;

/// What a node does in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// Orders writes.
    Leader,
    /// Votes and serves.
    Follower,
    /// Catches up; no vote.
    Learner,
    /// Stands for election.
    Candidate,
    /// Did not answer the serving node.
    Unreachable,
}

impl NodeRole {
    /// Tells the word that scripts see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Learner => "learner",
            Self::Candidate => "candidate",
            Self::Unreachable => "unreachable",
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The N of `node-N`.
    pub id: NodeId,
    /// For clients, `host:port`.
    pub api_address: String,
    /// What it does.
    pub role: NodeRole,
    /// Whether it lacks the root key.
    pub sealed: bool,
    /// How far it has applied the log.
    pub applied_index: u64,
    /// Its process id, where it is reachable.
    pub pid: Option<u32>,
    /// For joiners, `host:port`; empty when an older node answered.
    pub join_address: String,
}

/// Which half of a tunnel a gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayRole {
    /// Beside the devices.
    Edge,
    /// Beside the servers.
    Core,
}

impl GatewayRole {
    /// Tells the word that scripts and config files see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Core => "core",
        }
    }
}

impl fmt::Display for GatewayRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GatewayRole {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "edge" => Ok(Self::Edge),
            "core" => Ok(Self::Core),
            _ => Err(Error::new(
                Reason::InvalidArgument,
                "a gateway's role is edge or core",
            )),
        }
    }
}

/// A gateway that announced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayStatus {
    /// Its id.
    pub id: String,
    /// Which half of the tunnel it is.
    pub role: GatewayRole,
    /// Where its tunnel listener is, for a core.
    pub address: Option<String>,
    /// Its process id when it announced itself.
    pub pid: u32,
    /// When that was, in milliseconds since 1970-01-01 UTC.
    pub announced_ms: u64,
}

/// The cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Which cluster.
    pub cluster_id: ClusterId,
    /// Who leads, where known.
    pub leader: Option<NodeId>,
    /// All members.
    pub nodes: Vec<NodeStatus>,
    /// All gateways that announced themselves.
    pub gateways: Vec<GatewayStatus>,
    /// The node that answered.
    pub served_by: NodeId,
    /// How far that node had applied the log.
    pub applied_index: u64,
}

pub(crate) fn status_from_wire(
    status: v1::GetClusterStatusResponse,
) -> Result<ClusterStatus, Error> {
    Ok(ClusterStatus {
        cluster_id: id_from_wire("cluster id", &status.cluster_id)?,
        leader: (status.leader != 0).then_some(NodeId(status.leader)),
        nodes: status
            .nodes
            .into_iter()
            .map(node_from_wire)
            .collect::<Result<_, _>>()?,
        gateways: status
            .gateways
            .into_iter()
            .map(gateway_from_wire)
            .collect::<Result<_, _>>()?,
        served_by: NodeId(status.served_by),
        applied_index: status.applied.map_or(0, |applied| applied.index),
    })
}

fn node_from_wire(node: v1::NodeStatus) -> Result<NodeStatus, Error> {
    let role = match v1::NodeRole::try_from(node.role) {
        Ok(v1::NodeRole::Leader) => NodeRole::Leader,
        Ok(v1::NodeRole::Follower) => NodeRole::Follower,
        Ok(v1::NodeRole::Learner) => NodeRole::Learner,
        Ok(v1::NodeRole::Candidate) => NodeRole::Candidate,
        Ok(v1::NodeRole::Unreachable) => NodeRole::Unreachable,
        Ok(v1::NodeRole::Unspecified) | Err(_) => return Err(malformed_answer("node role")),
    };
    Ok(NodeStatus {
        id: NodeId(node.node_id),
        api_address: node.api_address,
        role,
        sealed: node.sealed,
        applied_index: node.applied_index,
        pid: (node.pid != 0).then_some(node.pid),
        join_address: node.join_address,
    })
}

fn gateway_from_wire(gateway: v1::GatewayStatus) -> Result<GatewayStatus, Error> {
    Ok(GatewayStatus {
        id: gateway.gateway_id,
        role: gateway
            .role
            .parse()
            .map_err(|_| malformed_answer("gateway role"))?,
        address: Some(gateway.address).filter(|address| !address.is_empty()),
        pid: gateway.pid,
        announced_ms: gateway.announced_ms,
    })
}
