//! The cluster, as the node that answered sees it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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

/// What is wrong with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// It did not answer the node that was asked.
    Unreachable,
    /// The leader has not heard it for a second.
    Silent,
    /// It votes and does not keep up with the leader.
    Behind,
    /// It lacks the root key.
    Sealed,
    /// It cannot write its audit log.
    AuditUnavailable,
    /// Its disk is full.
    StorageFull,
    /// Its clock is far behind what the cluster has recorded.
    ClockBehind,
    /// Its log lost its end; it votes again when it has caught up.
    LogTorn,
    /// It is about to stop.
    Stopping,
    /// Its removal is decided.
    Leaving,
    /// Something that this version has no word for.
    Other,
}

impl Ailment {
    /// Tells the word that scripts see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Behind => "behind",
            Self::Sealed => "sealed",
            Self::AuditUnavailable => "audit_unavailable",
            Self::StorageFull => "storage_full",
            Self::ClockBehind => "clock_behind",
            Self::LogTorn => "log_torn",
            Self::Stopping => "stopping",
            Self::Leaving => "leaving",
            Self::Other => "other",
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
    /// Whether it has a vote.
    pub voter: bool,
    /// What is wrong with it; empty for a healthy node.
    pub ailments: Vec<Ailment>,
    /// How long ago the leader sent the last heartbeat that it answered; `None` for the leader
    /// itself, and where no leader tells.
    pub last_contact: Option<Duration>,
    /// How many entries of the leader's log it lacks; `None` where no leader tells.
    pub lag_entries: Option<u64>,
    /// For how long it has kept up with the leader without a break; `None` when it does not.
    pub steady: Option<Duration>,
    /// The newest format of the state that its program knows; `None` when it does not tell.
    pub format_known: Option<u32>,
}

/// What became of a request that another node lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Who led when it was asked for; `None` when nobody said that it did.
    pub former: Option<NodeId>,
    /// Who leads now.
    pub leader: NodeId,
}

impl Transfer {
    /// Whether another node leads now: the one asked for may have led already.
    #[must_use]
    pub fn moved(&self) -> bool {
        self.former != Some(self.leader)
    }
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

/// How the cluster does, by the word of its leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterHealth {
    /// Whether the leader tells, and nothing is wrong with any node.
    pub healthy: bool,
    /// How many voters may still fail, whichever they are, before the cluster serves no longer.
    pub failure_tolerance: u32,
    /// For how long a learner has to keep up before it votes.
    pub steady_needed: Duration,
    /// The leader whose word this is; `None` where none told, and then nothing may fail.
    pub told_by: Option<NodeId>,
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
    /// How the cluster does; `None` when an older node answered.
    pub health: Option<ClusterHealth>,
    /// The format of the state, which rises once every node knows a newer one; `None` when an older
    /// node answered.
    pub format_version: Option<u32>,
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
        health: status.health.map(health_from_wire),
        format_version: (status.format_version != 0).then_some(status.format_version),
    })
}

fn health_from_wire(health: v1::ClusterHealth) -> ClusterHealth {
    ClusterHealth {
        healthy: health.healthy,
        failure_tolerance: health.failure_tolerance,
        steady_needed: Duration::from_millis(health.steady_needed_ms),
        told_by: (health.told_by != 0).then_some(NodeId(health.told_by)),
    }
}

fn ailment_from_wire(ailment: i32) -> Ailment {
    match v1::Ailment::try_from(ailment) {
        Ok(v1::Ailment::Unreachable) => Ailment::Unreachable,
        Ok(v1::Ailment::Silent) => Ailment::Silent,
        Ok(v1::Ailment::Behind) => Ailment::Behind,
        Ok(v1::Ailment::Sealed) => Ailment::Sealed,
        Ok(v1::Ailment::AuditUnavailable) => Ailment::AuditUnavailable,
        Ok(v1::Ailment::StorageFull) => Ailment::StorageFull,
        Ok(v1::Ailment::ClockBehind) => Ailment::ClockBehind,
        Ok(v1::Ailment::LogTorn) => Ailment::LogTorn,
        Ok(v1::Ailment::Stopping) => Ailment::Stopping,
        Ok(v1::Ailment::Leaving) => Ailment::Leaving,
        // A newer node may know more; that something is wrong is told all the same.
        Ok(v1::Ailment::Unspecified) | Err(_) => Ailment::Other,
    }
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
        voter: node.voter,
        ailments: node.ailments.into_iter().map(ailment_from_wire).collect(),
        last_contact: node.last_contact_ms.map(Duration::from_millis),
        lag_entries: node.lag_entries,
        steady: node.steady_ms.map(Duration::from_millis),
        format_known: (node.format_known != 0).then_some(node.format_known),
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
