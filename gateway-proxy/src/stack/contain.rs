//! Lets a flow through its device's gate, or refuses it. Second layer of the stack; who has the
//! pass that it gives is cut when an order comes ([`crate::contain`]).

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures::future::Either;
use tower::{Layer, Service};

use super::{Arrival, Refused};
use crate::contain::Gates;

/// Puts the gates in front of a service.
#[derive(Clone, Debug)]
pub struct ContainLayer(pub Gates);

/// See [`ContainLayer`].
#[derive(Clone, Debug)]
pub struct Contain<S> {
    inner: S,
    gates: Gates,
}

impl<S> Layer<S> for ContainLayer {
    type Service = Contain<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Contain {
            inner,
            gates: self.0.clone(),
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

    fn call(&mut self, mut arrival: Arrival<C>) -> Self::Future {
        match self.gates.enter(&arrival.device, &arrival.service) {
            Ok(pass) => arrival.pass = Some(pass),
            Err(closed) => {
                return Either::Right(ready(Err(Refused {
                    reason: closed.into(),
                    carrier: arrival.carrier,
                })));
            }
        }
        Either::Left(self.inner.call(arrival))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kms_client::model::ContainLevel;

    use super::*;
    use crate::contain::Standing;
    use crate::stack::Refusal;

    #[tokio::test]
    async fn a_contained_or_unknown_device_is_refused_and_another_is_not() {
        let gates = Gates::default();
        gates.lease().extend(Duration::MAX);
        let pass = tower::service_fn(async |arrival: Arrival<()>| {
            assert!(arrival.pass.is_some());
            Ok::<_, Refused<()>>(())
        });
        let mut service = ContainLayer(gates.clone()).layer(pass);
        for (device, level) in [
            ("pump-7", ContainLevel::Isolate),
            ("pump-8", ContainLevel::None),
        ] {
            let standing = Standing {
                level,
                ..Standing::default()
            };
            gates.apply(&device.parse().unwrap(), standing);
        }
        for (device, refusal) in [
            ("pump-7", Some(Refusal::DeviceContained)),
            ("pump-8", None),
            ("pump-9", Some(Refusal::NoLease)),
        ] {
            let arrival = Arrival {
                device: device.parse().unwrap(),
                service: "s".parse().unwrap(),
                carrier: (),
                pass: None,
                permit: None,
            };
            let refused = service.call(arrival).await.err().map(|it| it.reason);
            assert_eq!(refused, refusal, "{device}");
        }
    }
}
