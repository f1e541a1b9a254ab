//! Decides requests with the current policy set, which can be replaced while it runs.
//! The API's authorization layer calls it on every request, after the read barrier.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use cedar_policy::{Authorizer, Decision};

use super::entities::Question;
use super::remembered::{Decided, Fingerprint, Remembered};
use super::{Authorized, Denied, DeniedBecause, PolicyError, PolicySet, Request};

/// Decides who may do what. Deny is the answer unless a policy permits and none forbids.
pub struct Engine {
    authorizer: Authorizer,
    current: ArcSwap<Current>,
    /// Held while another set is loaded, so that an older one never takes a newer one's place.
    loading: Mutex<()>,
}

/// A policy set with what it has decided so far.
struct Current {
    set: PolicySet,
    remembered: Remembered,
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
        let current = Current {
            set: policies,
            remembered: Remembered::default(),
        };
        Self {
            authorizer: Authorizer::new(),
            current: ArcSwap::from_pointee(current),
            loading: Mutex::default(),
        }
    }

    /// Decides with the policies of this epoch, or of a later one, from now on; requests being
    /// decided keep the set they began with. In the usual case it compares two numbers; otherwise
    /// one caller loads and the others wait for it.
    ///
    /// # Errors
    /// What `load` answers; the set stays as it was.
    pub fn keep_at<E>(
        &self,
        epoch: u64,
        load: impl FnOnce() -> Result<PolicySet, E>,
    ) -> Result<(), E> {
        if self.epoch() >= epoch {
            return Ok(());
        }
        let _alone = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.epoch() >= epoch {
            return Ok(());
        }
        let current = Current {
            set: load()?,
            remembered: Remembered::default(),
        };
        self.current.store(Arc::new(current));
        Ok(())
    }

    /// The epoch of the current set.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.current.load().set.epoch
    }

    /// Decides one request.
    ///
    /// # Errors
    /// [`Denied`], with the policies that forbid it.
    pub fn authorize(&self, request: &Request<'_>) -> Result<Authorized, Denied> {
        let current = self.current.load();
        let fingerprint = Fingerprint::of(request, current.set.timed);
        let decided = current.remembered.get(&fingerprint).unwrap_or_else(|| {
            let decided = self.decide(&current.set, request);
            current.remembered.put(fingerprint, decided.clone());
            decided
        });
        let (action, policies) = (request.action, decided.policies);
        if let Some(because) = decided.denied {
            return Err(Denied {
                action,
                policies,
                because,
            });
        }
        let resource = request.resource.name().to_owned();
        Ok(Authorized::new(
            action,
            resource,
            policies,
            current.set.epoch,
        ))
    }

    /// Whether a denied request would be permitted if a second operator approved it.
    #[must_use]
    pub fn would_permit_approved(&self, request: &Request<'_>) -> bool {
        if request.circumstances.approved || !request.action.is_change() {
            return false;
        }
        let mut request = *request;
        request.circumstances.approved = true;
        self.authorize(&request).is_ok()
    }

    /// Decides afresh.
    ///
    /// # Security
    /// Cedar skips a policy that fails to evaluate; a skipped `forbid` would grant. So any
    /// evaluation error denies.
    fn decide(&self, set: &PolicySet, request: &Request<'_>) -> Decided {
        let question = match Question::new(request, &set.schema) {
            Ok(question) => question,
            Err(why) => {
                return Decided {
                    policies: Arc::new([]),
                    denied: Some(why),
                };
            }
        };
        let response =
            self.authorizer
                .is_authorized(&question.request, &set.policies, &question.entities);
        let diagnostics = response.diagnostics();
        let mut policies: Vec<_> = diagnostics.reason().map(ToString::to_string).collect();
        policies.sort_unstable();
        let denied = if diagnostics.errors().next().is_some() {
            Some(DeniedBecause::Evaluation)
        } else {
            match response.decision() {
                Decision::Allow => None,
                Decision::Deny if policies.is_empty() => Some(DeniedBecause::NoPolicy),
                Decision::Deny => Some(DeniedBecause::Forbidden),
            }
        };
        Decided {
            policies: policies.into(),
            denied,
        }
    }
}
