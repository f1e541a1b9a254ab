//! Gateways that announced themselves, as stored.

use serde::{Deserialize, Serialize};

use super::GatewayRole;

/// The last announcement of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayRecord {
    /// Its id, as its certificate says.
    pub gateway_id: String,
    /// Its side.
    pub role: GatewayRole,
    /// Where its tunnel listener is (core), or empty.
    pub address: String,
    /// Its process id when it announced itself.
    pub pid: u32,
    /// By the state's clock.
    pub announced_ms: u64,
}
