//! Decides requests with the current policy set, which can be replaced while it runs.
//! The API's authorization layer calls it on every request, after the read barrier.

use std::sync::Arc;

use arc_swap::ArcSwap;
use cedar_policy::{Authorizer, Decision};

use super::entities::Question;
use super::{Authorized, Denied, DeniedBecause, PolicyError, PolicySet, Request};

/// Decides who may do what. Deny is the answer unless a policy permits and none forbids.
pub struct Engine {
    authorizer: Authorizer,
    current: ArcSwap<PolicySet>,
}

impl Engine {
    /// An engine with the built-in policies, at epoch 0.
    ///
    /// # Errors
    /// As [`PolicySet::built_in`].
    pub fn built_in() -> Result<Self, PolicyError> {
        Ok(Self::new(PolicySet::built_in(0)?))
    }

    /// An engine that decides with `policies`.
    #[must_use]
    pub fn new(policies: PolicySet) -> Self {
        Self {
            authorizer: Authorizer::new(),
            current: ArcSwap::from_pointee(policies),
        }
    }

    /// Decides with `policies` from now on; requests being decided keep the set they began with.
    pub fn install(&self, policies: PolicySet) {
        self.current.store(Arc::new(policies));
    }

    /// The epoch of the current set. Reload when the state's policy epoch differs.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.current.load().epoch
    }

    /// Decides one request.
    ///
    /// # Errors
    /// [`Denied`], with the policies that forbid it.
    ///
    /// # Security
    /// Cedar skips a policy that fails to evaluate; a skipped `forbid` would grant. So any
    /// evaluation error denies.
    pub fn authorize(&self, request: &Request<'_>) -> Result<Authorized, Denied> {
        let set = self.current.load();
        let denied = |policies, because| Denied {
            action: request.action,
            policies,
            because,
        };
        let question = Question::new(request, &set.schema).map_err(|why| denied(vec![], why))?;
        let response =
            self.authorizer
                .is_authorized(&question.request, &set.policies, &question.entities);
        let diagnostics = response.diagnostics();
        let mut policies: Vec<_> = diagnostics.reason().map(ToString::to_string).collect();
        policies.sort_unstable();
        if diagnostics.errors().next().is_some() {
            return Err(denied(policies, DeniedBecause::Evaluation));
        }
        let resource = request.resource.name().to_owned();
        match response.decision() {
            Decision::Allow => Ok(Authorized::new(
                request.action,
                resource,
                policies,
                set.epoch,
            )),
            Decision::Deny if policies.is_empty() => Err(denied(policies, DeniedBecause::NoPolicy)),
            Decision::Deny => Err(denied(policies, DeniedBecause::Forbidden)),
        }
    }
}
