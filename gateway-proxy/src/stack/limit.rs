//! Bounds the flows at a time, of the process and of each device, so that one device cannot take
//! the others' place. Fourth layer of the stack.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::Either;
use tower::{Layer, Service};

use super::{Arrival, Refusal, Refused};
use crate::ids::DeviceId;
use crate::limits::{FLOWS_MAX, FLOWS_PER_DEVICE_MAX};

/// The flows there are now, shared by every data thread.
#[derive(Clone, Debug, Default)]
pub struct Limits(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Only devices that have flows: bounded by `total`.
    by_device: HashMap<DeviceId, usize>,
}

/// A flow's place; free again when dropped.
#[derive(Debug)]
pub struct Permit {
    limits: Limits,
    device: DeviceId,
}

impl Limits {
    /// Takes a place for a flow of this device.
    pub fn permit(&self, device: &DeviceId) -> Option<Permit> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_device = counts.by_device.get(device).copied().unwrap_or(0);
        if counts.total >= FLOWS_MAX || of_device >= FLOWS_PER_DEVICE_MAX {
            return None;
        }
        counts.total += 1;
        *counts.by_device.entry(device.clone()).or_default() += 1;
        Some(Permit {
            limits: self.clone(),
            device: device.clone(),
        })
    }

    /// Flows there are now.
    pub fn total(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.limits.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(count) = counts.by_device.get_mut(&self.device) {
            *count -= 1;
            if *count == 0 {
                counts.by_device.remove(&self.device);
            }
        }
    }
}

/// Puts the limits in front of a service.
#[derive(Clone, Debug)]
pub struct LimitLayer(pub Limits);

/// See [`LimitLayer`].
#[derive(Clone, Debug)]
pub struct Limit<S> {
    inner: S,
    limits: Limits,
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Limit {
            inner,
            limits: self.0.clone(),
        }
    }
}

impl<S, C> Service<Arrival<C>> for Limit<S>
where
    S: Service<Arrival<C>, Error = Refused<C>>,
{
    type Response = S::Response;
    type Error = Refused<C>;
    type Future = Either<S::Future, Ready<Result<S::Response, Refused<C>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut arrival: Arrival<C>) -> Self::Future {
        arrival.permit = self.limits.permit(&arrival.device);
        if arrival.permit.is_none() {
            let reason = Refusal::Overloaded;
            return Either::Right(ready(Err(Refused {
                reason,
                carrier: arrival.carrier,
            })));
        }
        Either::Left(self.inner.call(arrival))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_cannot_take_every_place() {
        let limits = Limits::default();
        let greedy: DeviceId = "greedy".parse().unwrap();
        let permits: Vec<_> = std::iter::from_fn(|| limits.permit(&greedy))
            .take(FLOWS_MAX)
            .collect();
        assert_eq!(permits.len(), FLOWS_PER_DEVICE_MAX);
        assert!(limits.permit(&"other".parse().unwrap()).is_some());
        drop(permits);
        assert!(limits.permit(&greedy).is_some());
        assert_eq!(limits.total(), 0, "every place was given back");
    }
}
