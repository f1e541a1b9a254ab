//! Limits how many requests one identity may make: first in the stack, before any work is done.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{Request, Response};
use kms_client::reason::Reason;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::api::failure::Failure;
use crate::limits::RATED_IDENTITIES_MAX;
use crate::stack::refuse::{Checked, refuse};
use crate::tls::connection::Remote;

/// Refuses with OVERLOADED who asks too often. Identities share nothing with each other;
/// connections without a certificate (joiners) share one rate.
#[derive(Clone)]
pub(crate) struct RateLayer {
    rate: IdentityRate,
}

impl RateLayer {
    /// Asks `rate`, which others may ask too.
    pub(crate) fn new(rate: IdentityRate) -> Self {
        Self { rate }
    }

    fn admits(&self, remote: Option<&Remote>) -> bool {
        let facts = remote.and_then(|remote| remote.facts.as_deref());
        let key = facts.map_or([0; 32], |facts| facts.spki_sha256);
        self.rate.admits(&key)
    }
}

/// How often each identity may ask, known by the hash of its public key.
#[derive(Clone)]
pub(crate) struct IdentityRate(Arc<DefaultKeyedRateLimiter<[u8; 32]>>);

impl IdentityRate {
    /// Allows `per_second` on average, and as many at once.
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self(Arc::new(RateLimiter::keyed(Quota::per_second(per_second))))
    }

    /// Whether it may ask now; counts that it did.
    pub(crate) fn admits(&self, key: &[u8; 32]) -> bool {
        if self.0.len() > RATED_IDENTITIES_MAX {
            self.0.retain_recent();
        }
        self.0.check_key(key).is_ok()
    }
}

impl<S> Layer<S> for RateLayer {
    type Service = Rate<S>;

    fn layer(&self, inner: S) -> Rate<S> {
        Rate {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`RateLayer`].
#[derive(Clone)]
pub(crate) struct Rate<S> {
    inner: S,
    layer: RateLayer,
}

impl<S> Service<Request<Body>> for Rate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Checked<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.layer.admits(request.extensions().get::<Remote>()) {
            return Either::Right(self.inner.call(request));
        }
        refuse(Failure::new(
            Reason::Overloaded,
            "too many requests at once; wait and try again",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_is_refused_and_others_are_not() {
        use kms_client::identity::{CertificateFacts, Role, SpiffeId};
        let remote = |key: u8| {
            let id = SpiffeId::new("ward.test", Role::App, "reader").unwrap();
            let facts = CertificateFacts {
                id,
                spki_sha256: [key; 32],
                not_before_ms: 0,
                not_after_ms: u64::MAX,
            };
            Remote {
                address: "127.0.0.1:9".parse().unwrap(),
                facts: Some(Arc::new(facts)),
            }
        };
        let layer = RateLayer::new(IdentityRate::new(NonZeroU32::new(3).unwrap()));
        let admitted = (0..10).filter(|_| layer.admits(Some(&remote(1)))).count();
        // Three at once; one more only if this took a third of a second.
        assert!((3..6).contains(&admitted), "{admitted}");
        assert!(layer.admits(Some(&remote(2))));
    }
}
