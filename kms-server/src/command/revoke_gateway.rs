//! Revokes a gateway, and forgets it once it can forward no longer.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{FormerGateway, IdentityState, Record, RecordId, Role};

/// A gateway that is lost, stolen or taken out of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeGateway {
    /// Which gateway.
    pub gateway_id: String,
}

impl RevokeGateway {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let identity = frame.index.identity(Role::Gateway, &self.gateway_id);
        let mut identity = identity.ok_or(Refusal::GatewayNotFound)?.clone();
        if identity.state != IdentityState::Revoked {
            identity.state = IdentityState::Revoked;
            frame.counters.identity_epoch += 1;
            let id = RecordId::Identity(Role::Gateway, self.gateway_id.clone());
            frame.writes.put(id, Record::Identity(identity));
            frame
                .writes
                .remove(RecordId::Gateway(self.gateway_id.clone()));
            now_former(frame, &self.gateway_id);
        }
        Ok(Outcome::GatewayRevoked)
    }
}

/// A former gateway's leases and allowances have run out, by the leader's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetGateway {
    /// Which gateway.
    pub gateway_id: String,
    /// Of its record; an older one forgets nothing.
    pub epoch: u64,
}

impl ForgetGateway {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let id = RecordId::FormerGateway(self.gateway_id.clone());
        if former_epoch(frame, &self.gateway_id) == Some(self.epoch) {
            frame.writes.remove(id);
        }
        Ok(Outcome::GatewayForgotten)
    }
}

/// Notes that whoever was this gateway until now gets no more leases, and may use up its last one.
pub(super) fn now_former(frame: &mut Frame<'_>, gateway_id: &str) {
    let epoch = former_epoch(frame, gateway_id).map_or(1, |former| former + 1);
    frame.writes.put(
        RecordId::FormerGateway(gateway_id.to_owned()),
        Record::FormerGateway(FormerGateway {
            gateway_id: gateway_id.to_owned(),
            epoch,
        }),
    );
}

fn former_epoch(frame: &Frame<'_>, gateway_id: &str) -> Option<u64> {
    let mut known = frame.index.former_gateways();
    known
        .find(|former| former.gateway_id == gateway_id)
        .map(|former| former.epoch)
}
