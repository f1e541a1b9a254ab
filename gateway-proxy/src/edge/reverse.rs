//! Flows towards devices, at the edge: keeps tunnels on offer to the core, and connects the flows
//! that the core opens on them to the device's own server.
//!
//! Each route has a few idle tunnels on offer, over all data threads. When one is taken and too few
//! are left, another is made at once; when its flow has ended, it stays on offer for a while, as
//! other idle tunnels do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::{Service, ServiceBuilder};

use super::EdgeShared;
use super::health::Health;
use super::places::{Place, Places};
use super::pool::{Made, Pool, Reach, Taken};
use super::pulse::Ping;
use crate::capture::{CaptureSink, FlowInfo, NoCapture};
use crate::config::ReverseRoute;
use crate::contain::Pass;
use crate::drain::Watcher;
use crate::flow::{self, Ending, LegLost, Report};
use crate::frame::{Control, FlowNumber, Open};
use crate::limits::{
    DEVICE_CONNECT_TIMEOUT, IDLE_TUNNEL_AGE_MAX, OFFER_RETRY_INTERVAL, PING_INTERVAL,
};
use crate::measure;
use crate::reach::{Carried, NoLeg, reach, reject};
use crate::socket::Leg;
use crate::stack::{Arrival, ContainLayer, IdentifyLayer, LimitLayer, Refusal, Refused};
use crate::tunnel::{Tunnel, TunnelError, Wish};

/// A reverse route with what it needs, shared by every data thread.
#[derive(Clone)]
pub struct ReverseShared {
    pub(super) route: Arc<ReverseRoute>,
    pub(super) reach: Arc<Reach>,
    /// Of its idle tunnels.
    places: Arc<Places>,
    health: Arc<Health>,
}

/// A flow that the core has opened, with the tunnel it came on.
pub(super) struct Reversed {
    tunnel: Tunnel,
    number: FlowNumber,
    open: Open,
}

impl ReverseShared {
    /// A reverse route, and how it reaches its core.
    pub fn new(route: ReverseRoute, reach: Arc<Reach>) -> Self {
        Self {
            route: Arc::new(route),
            reach,
            places: Arc::default(),
            health: Arc::default(),
        }
    }
}

/// Keeps tunnels on offer, from one data thread, until the gateway drains.
pub(super) async fn offer(
    shared: EdgeShared,
    reverse: ReverseShared,
    pool: Arc<Pool>,
    drain: Watcher,
) {
    loop {
        let place = tokio::select! {
            place = reverse.places.missing() => place,
            () = drain.draining() => return,
        };
        match pool.fresh().await {
            Ok(Taken { tunnel, made, .. }) => {
                let offered = Offered {
                    shared: shared.clone(),
                    reverse: reverse.clone(),
                    pool: Arc::clone(&pool),
                    made,
                    drain: drain.clone(),
                    works: false,
                };
                // Owned by the runtime; ends with its tunnel, and a pause when that has failed.
                sys::task::spawn("offered tunnel", offered.run(tunnel, place));
            }
            Err(error) => {
                // The place is kept meanwhile: no other thread tries any sooner.
                let pause = reverse.health.not_dialled(&reverse.route, &error);
                rest(pause, &drain).await;
                drop(place);
            }
        }
    }
}

async fn rest(pause: Duration, drain: &Watcher) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = drain.draining() => {}
    }
}

/// One tunnel on offer.
struct Offered {
    shared: EdgeShared,
    reverse: ReverseShared,
    pool: Arc<Pool>,
    made: Made,
    drain: Watcher,
    /// The core has shown that it keeps the tunnel.
    works: bool,
}

impl Offered {
    async fn run(mut self, tunnel: Tunnel, place: Place) {
        let mut place = Some(place);
        let Err(error) = self.serve(tunnel, &mut place).await else {
            return;
        };
        tracing::debug!(error = %measure::chain(&error), "an offered tunnel ended");
        // A core that does not want the offer is not asked again at once.
        let pause = match self.works {
            true => OFFER_RETRY_INTERVAL,
            false => self.reverse.health.not_kept(&self.reverse.route, &error),
        };
        if place.is_some() {
            rest(pause, &self.drain).await;
        }
    }

    async fn serve(
        &mut self,
        mut tunnel: Tunnel,
        place: &mut Option<Place>,
    ) -> Result<(), TunnelError> {
        let core = Arc::new(tunnel.peer()?);
        let route = Arc::clone(&self.reverse.route);
        // In reading order: each layer may refuse, only the last one connects.
        let mut stack = ServiceBuilder::new()
            .layer(IdentifyLayer(move |opened| {
                let expired = core.is_expired(sys::clock::wall_ms());
                identify(&route, expired, opened)
            }))
            .layer(ContainLayer(self.shared.gates.clone()))
            .layer(LimitLayer(self.shared.limits.clone()))
            .service(ConnectDevice(Arc::clone(&self.reverse.route)));
        let service = self.reverse.route.service.clone();
        tunnel.queue(FlowNumber::CONNECTION, &Control::Offer { service })?;
        tunnel.inbox.offer();
        loop {
            let Some((number, open)) = self.wait(&mut tunnel).await? else {
                tunnel.close();
                return Ok(());
            };
            self.works();
            // Another one is offered in its place, when it is missing.
            drop(place.take());
            let guard = self.drain.guard();
            let opened = Box::new(Reversed {
                tunnel,
                number,
                open,
            });
            tunnel = match stack.call(opened).await {
                Ok(carried) => match carried.usable(LegLost::Device) {
                    Some(tunnel) => tunnel,
                    None => return Ok(()),
                },
                Err(refused) => refuse(refused)?,
            };
            drop(guard);
            *place = self.reverse.places.keep();
            if place.is_none() {
                // Still to be sent: an ACK, or a refusal.
                std::future::poll_fn(|context| tunnel.poll_flush(context)).await?;
                tunnel.close();
                return Ok(());
            }
        }
    }

    /// Waits for the core to open a flow, asking now and then whether it is there. `None` when the
    /// tunnel is not to be used any more.
    async fn wait(
        &mut self,
        tunnel: &mut Tunnel,
    ) -> Result<Option<(FlowNumber, Open)>, TunnelError> {
        // Not at once: where the offer is refused there is no answer either, so that the first one
        // shows that it was taken.
        let mut tick = tokio::time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        let since = sys::clock::monotonic();
        let mut asked: Option<Ping> = None;
        loop {
            tokio::select! {
                wish = tunnel.next_wish() => match wish {
                    Ok(Wish::Flow(number, open)) => return Ok(Some((number, *open))),
                    Ok(Wish::Offer(_)) => return Ok(None),
                    // A core that drains says so and closes right behind it.
                    Err(_) if tunnel.inbox.going_away => return Ok(None),
                    Err(error) => return Err(error),
                },
                () = self.drain.draining() => return Ok(None),
                _ = tick.tick() => {}
            }
            if tunnel.inbox.going_away || !self.pool.is_current(self.made) {
                return Ok(None);
            }
            let now = sys::clock::monotonic();
            let is_old = now.duration_since(since) >= IDLE_TUNNEL_AGE_MAX;
            if is_old && self.reverse.places.has_spare() {
                return Ok(None);
            }
            match &asked {
                Some(ping) if ping.is_answered(tunnel) => self.works(),
                Some(ping) if ping.is_overdue(now) => {
                    self.pool.unanswered();
                    return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
                }
                Some(_) => continue,
                None => {}
            }
            asked = Some(self.pool.ping(tunnel)?);
        }
    }

    fn works(&mut self) {
        if !std::mem::replace(&mut self.works, true) {
            self.reverse.health.works(&self.reverse.route);
        }
    }
}

/// The route says whose flow it is and what may be asked for; the core's certificate must still be
/// valid at every OPEN.
fn identify(
    route: &ReverseRoute,
    expired: bool,
    opened: Box<Reversed>,
) -> Result<Arrival<Box<Reversed>>, Refused<Box<Reversed>>> {
    let reason = if expired {
        Some(Refusal::CertificateExpired)
    } else if opened.open.service != route.service {
        Some(Refusal::ServiceUnknown)
    } else if opened.open.protocol != route.protocol {
        Some(Refusal::Denied)
    } else {
        None
    };
    match reason {
        Some(reason) => Err(Refused {
            reason,
            carrier: opened,
        }),
        None => Ok(Arrival {
            device: route.device.clone(),
            service: route.service.clone(),
            carrier: opened,
            pass: None,
            permit: None,
        }),
    }
}

/// Connects an allowed flow to the device and pumps it: the innermost service.
#[derive(Clone)]
struct ConnectDevice(Arc<ReverseRoute>);

impl ConnectDevice {
    async fn carry(
        self,
        arrival: Arrival<Box<Reversed>>,
    ) -> Result<Carried, Refused<Box<Reversed>>> {
        let Arrival {
            device,
            carrier,
            pass,
            permit,
            ..
        } = arrival;
        let refused = |reason, carrier| Err(Refused { reason, carrier });
        let Some(pass) = pass else {
            return refused(Refusal::NoLease, carrier);
        };
        let mut carrier = carrier;
        let reached = reach(
            &self.0.target,
            &mut carrier.tunnel,
            &pass,
            DEVICE_CONNECT_TIMEOUT,
        );
        let reached = match reached.await {
            Ok(leg) => Ok(leg),
            Err(NoLeg::Unwanted(ending)) => Err(ending),
            Err(NoLeg::Refused(reason)) => return refused(reason, carrier),
        };
        let Reversed {
            mut tunnel,
            number,
            open,
        } = *carrier;
        let info = FlowInfo {
            flow: open.flow,
            device,
            protocol: open.protocol,
            service: open.service.clone(),
        };
        let report = match reached {
            Ok(leg) => pump(leg, &mut tunnel, number, &info, &pass).await,
            Err(ending) => {
                measure::flow_ended(&ending);
                Report::not_opened(ending)
            }
        };
        measure::log_flow(&info, &open, &report);
        drop(permit);
        Ok(Carried {
            tunnel,
            number,
            ending: report.ending,
            pass,
        })
    }
}

/// Tells the core that its flow is connected, and carries it to its end.
async fn pump(
    leg: Leg,
    tunnel: &mut Tunnel,
    number: FlowNumber,
    info: &FlowInfo,
    pass: &Pass,
) -> Report {
    let measured = measure::FlowOpen::new();
    let taps = NoCapture.flow_opened(info);
    let report = match tunnel.queue(number, &Control::OpenOk) {
        Ok(()) => flow::carry_to_device(&leg, tunnel, number, taps, pass).await,
        Err(error) => Report::not_opened(Ending::TunnelLost(error)),
    };
    measured.ended(&report);
    if matches!(report.ending, Ending::Finished)
        && let Err(error) = leg.close()
    {
        tracing::warn!(%error, "a finished connection was reset");
    }
    report
}

impl Service<Arrival<Box<Reversed>>> for ConnectDevice {
    type Response = Carried;
    type Error = Refused<Box<Reversed>>;
    type Future = Pin<Box<dyn Future<Output = Result<Carried, Refused<Box<Reversed>>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, arrival: Arrival<Box<Reversed>>) -> Self::Future {
        Box::pin(self.clone().carry(arrival))
    }
}

/// Tells the core, and gives the tunnel back for the next flow.
fn refuse(refused: Refused<Box<Reversed>>) -> Result<Tunnel, TunnelError> {
    let Refused { reason, carrier } = refused;
    let Reversed {
        mut tunnel,
        number,
        open,
    } = *carrier;
    tracing::info!(flow = %open.flow, service = %open.service, %reason, "a flow was refused");
    reject(&mut tunnel, number, reason)?;
    Ok(tunnel)
}

#[cfg(test)]
mod tests;
