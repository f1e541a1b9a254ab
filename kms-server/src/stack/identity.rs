//! Asks of every request who makes it, and whether that identity is honoured now.
//!
//! The handshake proved the certificate; this looks at its dates and at the identity's state in
//! the replicated state, each time, so that a revocation needs no list and no new connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::FutureExt;
use http::{Extensions, Request, Response};
use kms_client::identity::CertificateFacts;
use kms_client::reason::Reason;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::api::caller::Caller;
use crate::api::failure::Failure;
use crate::stack::refuse::{Waiting, response};
use crate::stack::verb::Verb;
use crate::tls::connection::Remote;

/// Whoever knows which identities are honoured.
#[async_trait]
pub(crate) trait Identities: Send + Sync + 'static {
    /// Answers who this is.
    ///
    /// # Errors
    /// When the identity is unknown, revoked, or has other keys.
    async fn honour(&self, facts: &CertificateFacts) -> Result<Caller, Failure>;
}

/// Puts a [`Caller`] into each request, or refuses it.
#[derive(Clone)]
pub(crate) struct IdentityLayer {
    identities: Arc<dyn Identities>,
}

impl IdentityLayer {
    /// Asks `identities`.
    pub(crate) fn new(identities: Arc<dyn Identities>) -> Self {
        Self { identities }
    }
}

impl<S> Layer<S> for IdentityLayer {
    type Service = Identity<S>;

    fn layer(&self, inner: S) -> Identity<S> {
        Identity {
            inner,
            identities: Arc::clone(&self.identities),
        }
    }
}

/// The service of [`IdentityLayer`].
#[derive(Clone)]
pub(crate) struct Identity<S> {
    inner: S,
    identities: Arc<dyn Identities>,
}

impl<S> Service<Request<Body>> for Identity<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Waiting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Waiting {
        let identities = Arc::clone(&self.identities);
        // The service that was polled ready goes with this request; its clone serves the next.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        async move {
            match identify(identities.as_ref(), request.extensions()).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(failure) => response(failure),
            }
        }
        .boxed()
    }
}

async fn identify(identities: &dyn Identities, about: &Extensions) -> Result<Caller, Failure> {
    let remote = about.get::<Remote>();
    let facts = remote
        .and_then(|remote| remote.facts.clone())
        .ok_or_else(|| {
            Failure::new(
                Reason::Unauthenticated,
                "no certificate was presented; join the cluster",
            )
        })?;
    let renews = about.get::<Verb>().is_some_and(|verb| verb.renews());
    if facts.is_expired(sys::clock::wall_ms()) && !renews {
        let message = "the certificate has expired; renew it, or join again";
        return Err(Failure::new(Reason::CertificateExpired, message));
    }
    identities.honour(&facts).await
}

#[cfg(test)]
mod tests {
    use kms_client::identity::{Role, SpiffeId};

    use super::*;

    /// Honours everyone but `mallory`.
    struct Everyone;

    #[async_trait]
    impl Identities for Everyone {
        async fn honour(&self, facts: &CertificateFacts) -> Result<Caller, Failure> {
            if facts.id.id() == "mallory" {
                return Err(Failure::new(Reason::Denied, "revoked"));
            }
            let (role, spki_sha256) = (facts.id.role().into(), facts.spki_sha256);
            Ok(Caller {
                id: facts.id.clone(),
                role,
                spki_sha256,
                expired: false,
            })
        }
    }

    fn facts(id: &str, not_after_ms: u64) -> CertificateFacts {
        let id = SpiffeId::new("ward.test", Role::App, id).unwrap();
        CertificateFacts {
            id,
            spki_sha256: [1; 32],
            not_before_ms: 0,
            not_after_ms,
        }
    }

    async fn check(facts: Option<CertificateFacts>, verb: Verb, expected: Result<(), Reason>) {
        let mut about = Extensions::new();
        let address = "127.0.0.1:9".parse().unwrap();
        about.insert(Remote {
            address,
            facts: facts.map(Arc::new),
        });
        about.insert(verb);
        let identified = identify(&Everyone, &about).await;
        assert_eq!(
            identified.map(drop).map_err(|failure| failure.reason),
            expected
        );
    }

    #[tokio::test]
    async fn nobody_is_served_without_a_certificate_that_holds_and_counts() {
        check(None, Verb::Decrypt, Err(Reason::Unauthenticated)).await;
        check(Some(facts("reader", u64::MAX)), Verb::Decrypt, Ok(())).await;
        check(
            Some(facts("mallory", u64::MAX)),
            Verb::Decrypt,
            Err(Reason::Denied),
        )
        .await;
    }

    #[tokio::test]
    async fn an_expired_certificate_is_good_for_its_renewal_alone() {
        let expired = || Some(facts("reader", 1_000));
        check(expired(), Verb::Decrypt, Err(Reason::CertificateExpired)).await;
        check(
            expired(),
            Verb::GetClusterStatus,
            Err(Reason::CertificateExpired),
        )
        .await;
        check(expired(), Verb::IssueCertificate, Ok(())).await;
        let revoked = Some(facts("mallory", 1_000));
        check(revoked, Verb::IssueCertificate, Err(Reason::Denied)).await;
    }
}
