//! The tunnels that edges offer for flows towards their devices. A tunnel stays with the thread it
//! was accepted on; what is handed over is the server's connection, once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::capture::FlowInfo;
use crate::config::ReverseListener;
use crate::contain::Pass;
use crate::drain;
use crate::frame::Open;
use crate::ids::{DeviceId, ServiceName};
use crate::limits::OFFERS_PER_ROUTE_MAX;
use crate::socket::Leg;
use crate::stack::Permit;

/// Every reverse route of a core, shared by its data threads.
#[derive(Debug, Default)]
pub(super) struct Offers(HashMap<(DeviceId, ServiceName), Waiting>);

/// The tunnels that wait for a connection to one device's server.
#[derive(Debug, Default)]
struct Waiting {
    /// Youngest last. Those whose tunnel is gone are closed.
    offers: Mutex<Vec<oneshot::Sender<Box<Request>>>>,
    more: Notify,
}

/// A server's connection that wants a tunnel.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) leg: Leg,
    pub(super) open: Open,
    pub(super) info: FlowInfo,
    /// Until then it may be given a tunnel, another one when the last turned out to be dead.
    pub(super) until: Instant,
    /// Its leave to be carried: given back behind the leg.
    pub(super) pass: Pass,
    pub(super) _permit: Option<Permit>,
    pub(super) _guard: drain::Guard,
}

impl Offers {
    pub(super) fn new(listeners: &[Arc<ReverseListener>]) -> Self {
        let key = |listener: &Arc<ReverseListener>| {
            let key = (listener.device.clone(), listener.service.clone());
            (key, Waiting::default())
        };
        Self(listeners.iter().map(key).collect())
    }

    /// Takes a tunnel's offer. `None` when there is no such route, or it has tunnels enough.
    pub(super) fn offer(
        &self,
        device: &DeviceId,
        service: &ServiceName,
    ) -> Option<oneshot::Receiver<Box<Request>>> {
        let waiting = self.0.get(&(device.clone(), service.clone()))?;
        let (sender, receiver) = oneshot::channel();
        let mut offers = waiting.lock();
        offers.retain(|offer| !offer.is_closed());
        if offers.len() >= OFFERS_PER_ROUTE_MAX {
            return None;
        }
        offers.push(sender);
        drop(offers);
        waiting.more.notify_one();
        Some(receiver)
    }

    /// Gives the connection to a tunnel, waiting for one as long as it may.
    ///
    /// # Errors
    /// The connection, when none came, or when it has to stop.
    pub(super) async fn take(&self, mut request: Box<Request>) -> Result<(), Box<Request>> {
        let key = (request.info.device.clone(), request.info.service.clone());
        let Some(waiting) = self.0.get(&key) else {
            return Err(request);
        };
        loop {
            while let Some(offer) = waiting.pop() {
                match offer.send(request) {
                    Ok(()) => return Ok(()),
                    // That tunnel has gone meanwhile.
                    Err(back) => request = back,
                }
            }
            // A tunnel that is offered between the look and the wait has left its notice.
            let more = waiting.more.notified();
            let given_up = tokio::select! {
                _ = request.pass.stopped() => true,
                more = tokio::time::timeout_at(request.until, more) => more.is_err(),
            };
            if given_up {
                return Err(request);
            }
        }
    }
}

impl Waiting {
    fn pop(&self) -> Option<oneshot::Sender<Box<Request>>> {
        self.lock().pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<oneshot::Sender<Box<Request>>>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
