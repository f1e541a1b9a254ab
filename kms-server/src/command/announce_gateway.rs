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
        // The side carries permissions: a gateway must not give itself those of the other.
        let former = frame.index.gateway(&self.gateway_id);
        if former.is_some_and(|former| former.role != self.role) {
            return Err(Refusal::GatewaySideFixed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Writes;
    use crate::state::{Counters, IdentityRecord, Index};

    fn announce(index: &Index, role: GatewayRole) -> Result<Outcome, Refusal> {
        let command = AnnounceGateway {
            gateway_id: "edge".to_owned(),
            role,
            address: String::new(),
            pid: 1,
        };
        let (counters, writes) = (Counters::default(), Writes::default());
        let mut frame = Frame {
            cluster_id: envelope::id::ClusterId::from_bytes([1; 16]),
            index,
            now_ms: 1,
            said_ms: 1,
            caller: None,
            approver: None,
            counters,
            writes,
        };
        command.apply(&mut frame)
    }

    #[test]
    fn a_gateway_cannot_change_its_side() {
        let mut index = Index::default();
        let identity = IdentityRecord {
            role: Role::Gateway,
            id: "edge".to_owned(),
            state: IdentityState::Active,
            keys: Vec::new(),
        };
        let id = RecordId::Identity(Role::Gateway, "edge".to_owned());
        index.put(id, Some(Record::Identity(identity)));
        assert_eq!(
            announce(&index, GatewayRole::Core),
            Ok(Outcome::GatewayAnnounced)
        );

        let announced = GatewayRecord {
            gateway_id: "edge".to_owned(),
            role: GatewayRole::Edge,
            address: String::new(),
            pid: 1,
            announced_ms: 1,
        };
        index.put(
            RecordId::Gateway("edge".to_owned()),
            Some(Record::Gateway(announced)),
        );
        assert_eq!(
            announce(&index, GatewayRole::Edge),
            Ok(Outcome::GatewayAnnounced)
        );
        assert_eq!(
            announce(&index, GatewayRole::Core),
            Err(Refusal::GatewaySideFixed)
        );
    }
}
