//! Refuses flows of contained devices. Second layer of the stack; the control runtime keeps the
//! set, every data thread reads it.

use std::collections::HashSet;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use futures::future::Either;
use tower::{Layer, Service};

use super::{Arrival, Refusal, Refused};
use crate::ids::DeviceId;

/// The devices that may not communicate now.
#[derive(Clone, Debug, Default)]
pub struct Contained(Arc<ArcSwap<HashSet<DeviceId>>>);

impl Contained {
    /// Replaces the set; flows opened from now on are held to it.
    pub fn replace(&self, devices: HashSet<DeviceId>) {
        self.0.store(Arc::new(devices));
    }

    fn contains(&self, device: &DeviceId) -> bool {
        self.0.load().contains(device)
    }
}

/// Puts the check in front of a service.
#[derive(Clone, Debug)]
pub struct ContainLayer(pub Contained);

/// See [`ContainLayer`].
#[derive(Clone, Debug)]
pub struct Contain<S> {
    inner: S,
    contained: Contained,
}

impl<S> Layer<S> for ContainLayer {
    type Service = Contain<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Contain {
            inner,
            contained: self.0.clone(),
        }
    }
}

impl<S, C> Service<Arrival<C>> for Contain<S>
where
    S: Service<Arrival<C>, Error = Refused<C>>,
{
    type Response = S::Response;
    type Error = Refused<C>;
    type Future = Either<S::Future, Ready<Result<S::Response, Refused<C>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, arrival: Arrival<C>) -> Self::Future {
        if self.contained.contains(&arrival.device) {
            let reason = Refusal::DeviceContained;
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

    #[tokio::test]
    async fn a_contained_device_is_refused_and_another_is_not() {
        let contained = Contained::default();
        let pass = tower::service_fn(async |_: Arrival<()>| Ok::<_, Refused<()>>(()));
        let mut service = ContainLayer(contained.clone()).layer(pass);
        contained.replace(HashSet::from(["pump-7".parse().unwrap()]));
        for (device, passes) in [("pump-7", false), ("pump-8", true)] {
            let arrival = Arrival {
                device: device.parse().unwrap(),
                service: "s".parse().unwrap(),
                carrier: (),
                permit: None,
            };
            let result = service.call(arrival).await;
            assert_eq!(result.is_ok(), passes, "{device}: {result:?}");
        }
    }
}
