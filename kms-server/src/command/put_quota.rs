//! Sets the quota of an identity or of a role.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::is_id;
use super::{Outcome, Refusal};
use crate::state::{QuotaLimit, QuotaRecord, Record, RecordId, Role};

/// The quota as it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutQuota {
    /// What it is.
    pub role: Role,
    /// Which one; empty for all of the role that have none of their own.
    pub id: String,
    /// All of them hold.
    pub limits: Vec<QuotaLimit>,
}

impl PutQuota {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if !(self.id.is_empty() || is_id(&self.id)) {
            return Err(Refusal::NameInvalid);
        }
        check_limits(self.role, &self.limits)?;
        let former = frame.index.quota(self.role, &self.id);
        if former.is_none() && frame.index.quotas().count() >= QUOTAS_MAX {
            return Err(Refusal::QuotasFull);
        }
        let revision = former.map_or(0, |quota| quota.revision).saturating_add(1);
        frame.writes.put(
            RecordId::Quota(self.role, self.id.clone()),
            Record::Quota(QuotaRecord {
                role: self.role,
                id: self.id.clone(),
                revision,
                limits: self.limits.clone(),
            }),
        );
        Ok(Outcome::QuotaPut { revision })
    }
}

/// What a quota may say.
pub(crate) fn check_limits(role: Role, limits: &[QuotaLimit]) -> Result<(), Refusal> {
    let fits = |limit: &QuotaLimit| {
        (1..=AMOUNT_MAX).contains(&limit.amount) && (1..=WINDOW_MAX_S).contains(&limit.window_s)
    };
    let mut kinds: Vec<_> = limits
        .iter()
        .map(|limit| (limit.class, limit.window_s))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let count_fits = (1..=LIMITS_MAX).contains(&limits.len()) && kinds.len() == limits.len();
    match role.has_quotas() && count_fits && limits.iter().all(fits) {
        true => Ok(()),
        false => Err(Refusal::QuotaInvalid),
    }
}

/// Quotas of a cluster.
pub(crate) const QUOTAS_MAX: usize = 1_024;
/// Limits of one quota: each is counted apart.
pub(crate) const LIMITS_MAX: usize = 8;
const AMOUNT_MAX: u32 = 1_000_000_000;
/// A day. What is counted lives in the memory of nodes, which is not kept for longer.
const WINDOW_MAX_S: u32 = 24 * 60 * 60;
