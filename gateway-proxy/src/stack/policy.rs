//! Refuses flows that no policy allows. Third layer of the stack.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use tower::{Layer, Service};

use super::{Arrival, Refusal, Refused};

/// Decides whether a flow may be carried. Asked at every flow, on a reused tunnel too.
pub trait Policy<C>: Send + Sync + 'static {
    /// Decides.
    ///
    /// # Errors
    /// Why not.
    fn check(&self, arrival: &Arrival<C>) -> Result<(), Refusal>;
}

/// Puts a policy in front of a service.
#[derive(Debug)]
pub struct PolicyLayer<P>(pub Arc<P>);

/// See [`PolicyLayer`].
#[derive(Debug)]
pub struct Checked<S, P> {
    inner: S,
    policy: Arc<P>,
}

impl<S: Clone, P> Clone for Checked<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            policy: Arc::clone(&self.policy),
        }
    }
}

impl<S, P> Layer<S> for PolicyLayer<P> {
    type Service = Checked<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Checked {
            inner,
            policy: Arc::clone(&self.0),
        }
    }
}

impl<S, P, C> Service<Arrival<C>> for Checked<S, P>
where
    P: Policy<C>,
    S: Service<Arrival<C>, Error = Refused<C>>,
{
    type Response = S::Response;
    type Error = Refused<C>;
    type Future = Either<S::Future, Ready<Result<S::Response, Refused<C>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, arrival: Arrival<C>) -> Self::Future {
        match self.policy.check(&arrival) {
            Ok(()) => Either::Left(self.inner.call(arrival)),
            Err(reason) => Either::Right(ready(Err(Refused {
                reason,
                carrier: arrival.carrier,
            }))),
        }
    }
}
