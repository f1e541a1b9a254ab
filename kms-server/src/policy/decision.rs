//! What the engine answers: a proof that an action was permitted, or a refusal with its cause.

use std::sync::Arc;

use super::Action;

/// Proof that a policy permitted one action on one resource. Only the engine makes it.
///
/// It says nothing about the key's state, and holds only under
/// [`policy_epoch`](Self::policy_epoch).
#[derive(Debug)]
#[must_use = "hand it to the operation that it permits"]
pub struct Authorized {
    action: Action,
    resource: String,
    policies: Arc<[String]>,
    policy_epoch: u64,
}

impl Authorized {
    pub(super) fn new(
        action: Action,
        resource: String,
        policies: Arc<[String]>,
        policy_epoch: u64,
    ) -> Self {
        Self {
            action,
            resource,
            policies,
            policy_epoch,
        }
    }

    /// What was permitted.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// On what: a key's name, a device's id, or `cluster`.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The policies that permitted it, sorted; the audit record carries them.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// The policy epoch it was decided under; a write carries it, and apply compares.
    #[must_use]
    pub fn policy_epoch(&self) -> u64 {
        self.policy_epoch
    }

    /// Whether this is the proof for `action` on `resource`.
    #[must_use]
    pub fn covers(&self, action: Action, resource: &str) -> bool {
        self.action == action && self.resource == resource
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action} is not allowed: {because}")]
pub struct Denied {
    /// What was asked for.
    pub action: Action,
    /// The policies that forbid it, sorted; empty where none permits it.
    pub policies: Arc<[String]>,
    /// Why.
    pub because: DeniedBecause,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeniedBecause {
    /// Nothing permits it.
    #[error("no policy permits it to this identity")]
    NoPolicy,
    /// A policy forbids it, whatever others permit.
    #[error("a policy forbids it")]
    Forbidden,
    /// A policy could not be evaluated, so none is believed.
    #[error("a policy could not be evaluated; mend it")]
    Evaluation,
    /// The schema does not know this action for this kind of identity or resource.
    #[error("this kind of identity can never do it")]
    Impossible,
}
