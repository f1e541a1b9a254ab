//! The tunnels that edges offer for flows towards their devices. A tunnel stays with the thread it
//! was accepted on; what is handed over is the server's connection, once.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::capture::FlowInfo;
use crate::config::ReverseListener;
use crate::contain::Pass;
use crate::drain::{Guard, Watcher};
use crate::flow::Ending;
use crate::frame::Open;
use crate::ids::{DeviceId, ServiceName};
use crate::limits::OFFERS_PER_ROUTE_MAX;
use crate::reach::NoLeg;
use crate::socket::Leg;
use crate::stack::{Permit, Refusal};

/// Every reverse route of a core, shared by its data threads.
#[derive(Debug, Default)]
pub(super) struct Offers(HashMap<(DeviceId, ServiceName), Waiting>);

/// The tunnels that wait for a connection to one device's server.
#[derive(Debug, Default)]
struct Waiting {
    /// Last the one that was heard from last: the one least likely to be dead. Those whose tunnel
    /// is gone are closed.
    offers: Mutex<Vec<Offer>>,
    offered: AtomicU64,
    more: Notify,
}

#[derive(Debug)]
struct Offer {
    number: u64,
    tunnel: oneshot::Sender<Box<Request>>,
}

/// A tunnel's own end of its offer.
pub(super) struct Offered<'a> {
    waiting: &'a Waiting,
    number: u64,
    /// The connection it is given.
    pub(super) request: oneshot::Receiver<Box<Request>>,
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
    pub(super) permit: Option<Permit>,
    pub(super) guard: Guard,
}

/// Why a tunnel is not on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotOffered {
    /// No listener is there for that device and service.
    NoListener,
    /// There are tunnels enough.
    Enough,
}

impl Offers {
    pub(super) fn new(listeners: &[Arc<ReverseListener>]) -> Self {
        let key = |listener: &Arc<ReverseListener>| {
            let key = (listener.device.clone(), listener.service.clone());
            (key, Waiting::default())
        };
        Self(listeners.iter().map(key).collect())
    }

    /// Takes a tunnel's offer.
    ///
    /// # Errors
    /// Why it is of no use.
    pub(super) fn offer(
        &self,
        device: &DeviceId,
        service: &ServiceName,
    ) -> Result<Offered<'_>, NotOffered> {
        let waiting = self.0.get(&(device.clone(), service.clone()));
        let waiting = waiting.ok_or(NotOffered::NoListener)?;
        let (tunnel, request) = oneshot::channel();
        let number = waiting.offered.fetch_add(1, Ordering::Relaxed);
        let mut offers = waiting.lock();
        offers.retain(|offer| !offer.tunnel.is_closed());
        if offers.len() >= OFFERS_PER_ROUTE_MAX {
            return Err(NotOffered::Enough);
        }
        offers.push(Offer { number, tunnel });
        drop(offers);
        waiting.more.notify_one();
        Ok(Offered {
            waiting,
            number,
            request,
        })
    }

    /// Gives the connection to a tunnel, waiting for one as long as it may and somebody wants it.
    ///
    /// # Errors
    /// The connection, when it was given to none, and why.
    pub(super) async fn take(
        &self,
        mut request: Box<Request>,
        drain: &Watcher,
    ) -> Result<(), (Box<Request>, NoLeg)> {
        let key = (request.info.device.clone(), request.info.service.clone());
        let Some(waiting) = self.0.get(&key) else {
            return Err((request, NoLeg::Refused(Refusal::ServiceUnknown)));
        };
        while Instant::now() < request.until {
            // Before the look, so that a tunnel offered right behind it is heard of.
            let mut more = pin!(waiting.more.notified());
            more.as_mut().enable();
            while let Some(offer) = waiting.pop() {
                match offer.tunnel.send(request) {
                    Ok(()) => return Ok(()),
                    // That tunnel has gone meanwhile.
                    Err(back) => request = back,
                }
            }
            let why = tokio::select! {
                closed = request.pass.stopped() => NoLeg::Unwanted(Ending::Cut(closed)),
                error = request.leg.gone() => NoLeg::Unwanted(Ending::LegLost(error)),
                // Nothing is offered any more.
                () = drain.draining() => break,
                () = more => continue,
                () = tokio::time::sleep_until(request.until) => break,
            };
            return Err((request, why));
        }
        Err((request, NoLeg::Refused(Refusal::EdgeUnreachable)))
    }
}

impl Offered<'_> {
    /// Its edge has said something.
    pub(super) fn heard(&self) {
        let mut offers = self.waiting.lock();
        let mine = offers.iter().position(|offer| offer.number == self.number);
        // It is not there when it was given a connection just now.
        if let Some(mine) = mine {
            let offer = offers.remove(mine);
            offers.push(offer);
        }
    }
}

impl Request {
    /// Whether its flow may be opened. To be asked right before that.
    ///
    /// # Errors
    /// Why nobody wants it any more.
    pub(super) fn check(&self) -> Result<(), Ending> {
        self.pass.check().map_err(Ending::Cut)?;
        self.leg.check().map_err(Ending::LegLost)
    }
}

impl Waiting {
    fn pop(&self) -> Option<Offer> {
        self.lock().pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Offer>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Offers {
        let listener = ReverseListener {
            device: "ct-1".parse().unwrap(),
            protocol: "dicom".parse().unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            service: "back".parse().unwrap(),
        };
        Offers::new(&[Arc::new(listener)])
    }

    #[test]
    fn the_tunnel_that_was_heard_from_last_is_taken_first() {
        let offers = offers();
        let [device, service] = ["ct-1", "back"];
        let (device, service) = (device.parse().unwrap(), service.parse().unwrap());
        let offered: Vec<_> = (0..3)
            .map(|_| offers.offer(&device, &service).unwrap())
            .collect();
        offered[0].heard();
        let waiting = offered[0].waiting;
        let taken: Vec<_> = std::iter::from_fn(|| waiting.pop()).collect();
        let numbers: Vec<_> = taken.iter().map(|offer| offer.number).collect();
        assert_eq!(numbers, [0, 2, 1]);
        // One that was taken is not put back.
        offered[1].heard();
        assert!(waiting.pop().is_none());
    }

    #[test]
    fn an_offer_of_no_use_is_told_why() {
        let offers = offers();
        let (device, service) = ("ct-1".parse().unwrap(), "back".parse().unwrap());
        let typo = offers.offer(&device, &"bakc".parse().unwrap()).err();
        assert_eq!(typo, Some(NotOffered::NoListener));
        let mut held: Vec<_> = std::iter::from_fn(|| offers.offer(&device, &service).ok())
            .take(OFFERS_PER_ROUTE_MAX + 1)
            .collect();
        assert_eq!(held.len(), OFFERS_PER_ROUTE_MAX);
        let enough = offers.offer(&device, &service).err();
        assert_eq!(enough, Some(NotOffered::Enough));
        held.pop();
        assert!(offers.offer(&device, &service).is_ok());
    }
}
