//! Says whose flow it is: by the listener it came in on, or by the certificate its tunnel was made
//! with. First layer of the stack.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures::future::Either;
use tower::{Layer, Service};

use super::{Arrival, Refused};
use crate::ids::{DeviceId, ServiceName};

/// Puts `identify` in front of a service.
#[derive(Clone, Debug)]
pub struct IdentifyLayer<F>(pub F);

/// See [`IdentifyLayer`].
#[derive(Clone, Debug)]
pub struct Identify<S, F> {
    inner: S,
    identify: F,
}

/// Whose flow it is, said by the listener that it came in on: that belongs to one device.
pub(crate) fn by_listener<C>(
    device: DeviceId,
    service: ServiceName,
) -> impl Fn(C) -> Result<Arrival<C>, Refused<C>> + Clone {
    move |carrier| {
        Ok(Arrival {
            device: device.clone(),
            service: service.clone(),
            carrier,
            pass: None,
            permit: None,
        })
    }
}

impl<S, F: Clone> Layer<S> for IdentifyLayer<F> {
    type Service = Identify<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Identify {
            inner,
            identify: self.0.clone(),
        }
    }
}

impl<S, F, C> Service<C> for Identify<S, F>
where
    F: Fn(C) -> Result<Arrival<C>, Refused<C>>,
    S: Service<Arrival<C>, Error = Refused<C>>,
{
    type Response = S::Response;
    type Error = Refused<C>;
    type Future = Either<S::Future, Ready<Result<S::Response, Refused<C>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, carrier: C) -> Self::Future {
        match (self.identify)(carrier) {
            Ok(arrival) => Either::Left(self.inner.call(arrival)),
            Err(refused) => Either::Right(ready(Err(refused))),
        }
    }
}
