//! Identifiers and small enums that stored records share; the stored form is fixed by their order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The N of `node-N`; given once, never given again.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<u64> for NodeId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

/// What a caller is, as its SPIFFE URI says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// A member of the cluster.
    Node,
    /// An edge or core gateway.
    Gateway,
    /// A medical device, spoken for by its edge gateway.
    Device,
    /// An application that uses keys.
    App,
    /// A person who administers.
    Operator,
}

impl Role {
    /// The word used in SPIFFE URIs, join tokens and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Gateway => "gateway",
            Self::Device => "device",
            Self::App => "app",
            Self::Operator => "operator",
        }
    }

    /// Whether it may be given a quota. Nothing may keep what devices send from being sealed.
    pub const fn has_quotas(self) -> bool {
        match self {
            Self::App | Self::Operator => true,
            Self::Node | Self::Gateway | Self::Device => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// On which side of the tunnel a gateway stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GatewayRole {
    /// Beside the devices.
    Edge,
    /// Beside the servers.
    Core,
}

impl GatewayRole {
    /// The word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Core => "core",
        }
    }
}

/// Where a node is reached, each `host:port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// By clients.
    pub api: String,
    /// By peers.
    pub peer: String,
    /// By joiners.
    pub join: String,
}
