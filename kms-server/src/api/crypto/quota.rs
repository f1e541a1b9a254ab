//! Holds a permitted use of a key against the caller's quota.

use std::time::Duration;

use kms_client::reason::Reason;

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::policy::{Action, Facts};
use crate::quota::{Cost, Exceeded};
use crate::state::{QuotaClass, QuotaLimit};

/// Counts the use. Asked once it is permitted, so that who is denied uses nothing up, and before it
/// is done, so that a blob that does not open counts as one that does.
///
/// # Errors
/// QUOTA, with when to try again.
pub(super) fn charge(call: &Call, action: Action, facts: Facts<'_>) -> Result<(), Failure> {
    let (role, id) = (call.caller.role, call.caller.id.id());
    if !role.has_quotas() {
        return Ok(());
    }
    let replica = &call.node.replica;
    let Some(quota) = replica.read(|index| index.quota_of(role, id).cloned()) else {
        return Ok(());
    };
    let cost = Cost::new(action, facts.count());
    let (nodes, now) = (replica.members_count(), sys::clock::boottime());
    let charged = call
        .node
        .quotas
        .charge((role, id), &quota, cost, nodes, now);
    charged.map_err(|exceeded| {
        let class = match &exceeded {
            Exceeded::Used { limit, .. } | Exceeded::TooMany { limit, .. } => limit.class,
            Exceeded::NoRoom => QuotaClass::Uses,
        };
        let labels = [("role", role.as_str()), ("class", class.name())];
        metrics::counter!("ward_quota_refused_total", &labels).increment(1);
        refusal(&exceeded)
    })
}

fn refusal(exceeded: &Exceeded) -> Failure {
    match exceeded {
        Exceeded::Used { limit, wait } => {
            let seconds = wait.as_millis().div_ceil(1_000).max(1);
            let message = format!(
                "this identity has used up its quota at this node, {}; try again in {seconds} s, \
                 or ask an operator for more",
                told(limit)
            );
            Failure {
                retry_after: Some((*wait).max(Duration::from_millis(1))),
                ..Failure::new(Reason::Quota, message)
            }
        }
        Exceeded::TooMany { limit, share } => {
            let message = format!(
                "that is more at once than this identity's quota allows, {}, of which this node \
                 serves {share}; ask for fewer, or ask an operator for more",
                told(limit)
            );
            Failure::new(Reason::Quota, message)
        }
        Exceeded::NoRoom => {
            let message = "this node counts the uses of as many identities as it can; ask another";
            Failure::new(Reason::Overloaded, message)
        }
    }
}

fn told(limit: &QuotaLimit) -> String {
    format!(
        "{} {} in {} s by the whole cluster",
        limit.amount,
        limit.class.name(),
        limit.window_s
    )
}
