//! Records where a gateway is.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::replica::limits::ADDRESS_BYTES_MAX;
use crate::state::{GatewayRecord, GatewayRole, IdentityState, Record, RecordId, Role};

/// A gateway's announcement; its id is its certificate's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceGateway {
    /// Which gateway.
    pub gateway_id: String,
    /// Its side.
    pub role: GatewayRole,
    /// Where its tunnel listener is (core), or empty.
    pub address: String,
    /// Its process id.
    pub pid: u32,
}

impl AnnounceGateway {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if self.address.len() > ADDRESS_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let identity = frame.index.identity(Role::Gateway, &self.gateway_id);
        match identity.map(|identity| identity.state) {
            Some(IdentityState::Active) => {}
            Some(IdentityState::Revoked) => return Err(Refusal::IdentityRevoked),
            None => return Err(Refusal::IdentityNotFound),
        }
        frame.writes.put(
            RecordId::Gateway(self.gateway_id.clone()),
            Record::Gateway(GatewayRecord {
                gateway_id: self.gateway_id.clone(),
                role: self.role,
                address: self.address.clone(),
                pid: self.pid,
                announced_ms: frame.now_ms,
            }),
        );
        Ok(Outcome::GatewayAnnounced)
    }
}
