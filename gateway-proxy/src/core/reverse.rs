//! Flows towards devices: the core listens beside the server, and opens on a tunnel that the
//! device's edge has offered. DICOM needs it: a server that sends images back, or commits to keep
//! them, connects to the device by itself.
//!
//! ```text
//!  server ──▶ listener: identify ▶ contain ▶ limit ──▶ offers ──▶ a tunnel's task: OPEN ──▶ edge
//! ```

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use kms_client::identity::{CertificateFacts, Role};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder};

use super::CoreShared;
use super::connect::CloseOnDrop;
use super::offers::{NotOffered, Offered, Request};
use crate::capture::FlowInfo;
use crate::config::ReverseListener;
use crate::drain::Watcher;
use crate::flow::{self, Ending, LegLost, Report};
use crate::frame::{Control, FlowNumber, Open};
use crate::ids::{DeviceId, FlowId, ServiceName};
use crate::limits::{OFFER_ANSWER_TIMEOUT, OFFER_PATIENCE, OFFER_SILENCE_MAX};
use crate::measure;
use crate::reach::NoLeg;
use crate::refuse::Opening;
use crate::socket::Leg;
use crate::stack::{
    Arrival, ContainLayer, IdentifyLayer, LimitLayer, Refusal, Refused, by_listener,
};
use crate::tunnel::inbox::Answer;
use crate::tunnel::{Tunnel, TunnelError};

/// A server's connection.
pub(super) struct ServerConnection {
    leg: Leg,
    source: SocketAddr,
    destination: Option<SocketAddr>,
    guard: crate::drain::Guard,
}

/// Accepts a server's connections on one data thread until the gateway drains.
pub async fn listen(
    shared: CoreShared,
    reverse: Arc<ReverseListener>,
    listener: tokio::net::TcpListener,
    drain: Watcher,
) {
    // The edge checks its own side at every OPEN.
    let identify = by_listener(reverse.device.clone(), reverse.service.clone());
    let stack = ServiceBuilder::new()
        .layer(IdentifyLayer(identify))
        .layer(ContainLayer(shared.gates.clone()))
        .layer(LimitLayer(shared.limits.clone()))
        .service(HandOver {
            shared: shared.clone(),
            reverse: Arc::clone(&reverse),
            drain: drain.clone(),
        });
    loop {
        let accepted = tokio::select! {
            accepted = crate::accept::next(&listener) => accepted,
            () = drain.draining() => break,
        };
        let connection = ServerConnection {
            destination: accepted.tcp.local_addr().ok(),
            leg: Leg::accepted(accepted.tcp),
            source: accepted.source,
            guard: drain.guard(),
        };
        let (mut stack, shared, reverse) = (stack.clone(), shared.clone(), Arc::clone(&reverse));
        // Owned by the runtime; ends when the connection is handed over or refused.
        sys::task::spawn("reverse flow", async move {
            if let Err(refused) = stack.call(connection).await {
                let ServerConnection { leg, source, .. } = refused.carrier;
                measure::flow_refused(refused.reason);
                tracing::info!(%source, device = %reverse.device, reason = %refused.reason,
                    "a server's connection to a device was refused");
                let opening = Opening::new(reverse.protocol);
                shared.refusals.refuse(leg, opening, refused.reason).await;
            }
        });
    }
}

/// Gives an allowed connection to a tunnel: the innermost service.
#[derive(Clone)]
struct HandOver {
    shared: CoreShared,
    reverse: Arc<ReverseListener>,
    drain: Watcher,
}

impl HandOver {
    async fn hand_over(
        self,
        arrival: Arrival<ServerConnection>,
    ) -> Result<(), Refused<ServerConnection>> {
        let Some(pass) = arrival.pass else {
            return Err(Refused {
                reason: Refusal::NoLease,
                carrier: arrival.carrier,
            });
        };
        let ServerConnection {
            leg,
            source,
            destination,
            guard,
        } = arrival.carrier;
        let open = Open {
            flow: FlowId::random(),
            service: arrival.service,
            protocol: self.reverse.protocol,
            source: Some(source),
            destination,
        };
        let info = FlowInfo {
            flow: open.flow,
            device: arrival.device,
            protocol: open.protocol,
            service: open.service.clone(),
        };
        let request = Box::new(Request {
            leg,
            open,
            info,
            until: Instant::now() + OFFER_PATIENCE,
            pass,
            permit: arrival.permit,
            guard,
        });
        dispatch(&self.shared, request, &self.drain).await;
        Ok(())
    }
}

impl Service<Arrival<ServerConnection>> for HandOver {
    type Response = ();
    type Error = Refused<ServerConnection>;
    type Future = Pin<Box<dyn Future<Output = Result<(), Refused<ServerConnection>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, arrival: Arrival<ServerConnection>) -> Self::Future {
        Box::pin(self.clone().hand_over(arrival))
    }
}

/// Keeps a tunnel that was offered, and carries flow after flow on it, as long as each leaves it
/// usable.
pub(super) async fn serve_offer(
    shared: &CoreShared,
    mut tunnel: Tunnel,
    certificate: &CertificateFacts,
    service: ServiceName,
    drain: &Watcher,
) -> Result<(), TunnelError> {
    let device = certificate.id.id().parse::<DeviceId>();
    let Ok(device) = device.map_err(drop).and_then(|device| {
        let is_device = certificate.id.role() == Role::Device;
        is_device.then_some(device).ok_or(())
    }) else {
        tunnel.abort(FlowNumber::CONNECTION, Refusal::Denied.as_str());
        return Ok(());
    };
    loop {
        let mut offered = match shared.offers.offer(&device, &service) {
            Ok(offered) => offered,
            Err(why) => {
                tracing::info!(%device, %service, ?why, "an offered tunnel is not taken");
                let reason = match why {
                    NotOffered::NoListener => Refusal::ServiceUnknown,
                    NotOffered::Enough => Refusal::Overloaded,
                };
                tunnel.abort(FlowNumber::CONNECTION, reason.as_str());
                return Ok(());
            }
        };
        let request = match wait(&mut tunnel, &mut offered, drain).await {
            Ok(Some(request)) => request,
            over => {
                // A connection may have been given to the tunnel while it ended.
                offered.request.close();
                if let Ok(request) = offered.request.try_recv() {
                    find_another(shared, request, drain);
                }
                return over.map(drop);
            }
        };
        if certificate.is_expired(sys::clock::wall_ms()) {
            // The edge has made others, under the renewed certificate.
            tunnel.close();
            find_another(shared, request, drain);
            return Ok(());
        }
        let Some(request) = rehome(request) else {
            continue;
        };
        let Some(usable) = carry(shared, tunnel, request, drain).await else {
            return Ok(());
        };
        tunnel = usable;
    }
}

/// Waits on an idle tunnel for a connection. `None` at a drain.
async fn wait(
    tunnel: &mut Tunnel,
    offered: &mut Offered<'_>,
    drain: &Watcher,
) -> Result<Option<Box<Request>>, TunnelError> {
    loop {
        tokio::select! {
            request = &mut offered.request => return Ok(request.ok()),
            heard = tokio::time::timeout(OFFER_SILENCE_MAX, tunnel.hear()) => match heard {
                Ok(heard) => heard?,
                // An edge that is there asks more often than that.
                Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
            },
            () = drain.draining() => {
                tunnel.go_away()?;
                std::future::poll_fn(|context| tunnel.poll_flush(context)).await?;
                return Ok(None);
            }
        }
        offered.heard();
    }
}

/// Moves a connection to the thread of the tunnel that it was given to: its flow belongs to that
/// thread from here on. `None` when it was reset by that.
fn rehome(request: Box<Request>) -> Option<Box<Request>> {
    let request = *request;
    match request.leg.rehome() {
        Ok(leg) => Some(Box::new(Request { leg, ..request })),
        Err(error) => {
            not_opened(&request.info, &request.open, Ending::LegLost(error));
            None
        }
    }
}

/// Opens the flow and carries it to its end; gives the tunnel back when it can carry another.
async fn carry(
    shared: &CoreShared,
    mut tunnel: Tunnel,
    request: Box<Request>,
    drain: &Watcher,
) -> Option<Tunnel> {
    if let Err(unwanted) = request.check() {
        not_opened(&request.info, &request.open, unwanted);
        return Some(tunnel);
    }
    let Some(number) = tunnel.inbox.begin() else {
        tunnel.close();
        find_another(shared, request, drain);
        return None;
    };
    let answered = tokio::select! {
        biased;
        closed = request.pass.stopped() => Err(Ending::Cut(closed)),
        error = request.leg.gone() => Err(Ending::LegLost(error)),
        answered = open(&mut tunnel, number, &request) => Ok(answered),
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(unwanted) => {
            tunnel.abort(number, unwanted.abort_reason(LegLost::Upstream));
            not_opened(&request.info, &request.open, unwanted);
            return None;
        }
    };
    match answer {
        Ok(Answer::Accepted) => carry_open(shared, tunnel, number, request).await,
        Ok(Answer::Rejected { reason, .. }) => {
            tunnel.inbox.end();
            let reason = Refusal::named(&reason).unwrap_or(Refusal::Denied);
            refuse(shared, *request, reason);
            Some(tunnel)
        }
        Err(error) => {
            tracing::info!(flow = %request.open.flow, error = %measure::chain(&error),
                "an offered tunnel was dead");
            tunnel.abort(number, "ABORTED");
            find_another(shared, request, drain);
            None
        }
    }
}

/// Asks the edge, and waits for its answer, as long as the server may wait and at least as long as
/// an edge may take. Nothing of the server's is read meanwhile, so that a refused connection has
/// lost nothing.
async fn open(
    tunnel: &mut Tunnel,
    number: FlowNumber,
    request: &Request,
) -> Result<Answer, TunnelError> {
    tunnel.queue(number, &Control::Open(request.open.clone()))?;
    let answer = async {
        loop {
            if let Some(answer) = tunnel.inbox.flow().and_then(|flow| flow.answer.clone()) {
                return Ok(answer);
            }
            tunnel.hear().await?;
        }
    };
    let until = request.until.max(Instant::now() + OFFER_ANSWER_TIMEOUT);
    match tokio::time::timeout_at(until, answer).await {
        Ok(answered) => answered,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

async fn carry_open(
    shared: &CoreShared,
    mut tunnel: Tunnel,
    number: FlowNumber,
    request: Box<Request>,
) -> Option<Tunnel> {
    let Request {
        leg,
        open,
        info,
        pass,
        ..
    } = &*request;
    let taps = shared.capture.flow_opened(info);
    let mut closed = CloseOnDrop::new(&*shared.capture, info);
    let measured = measure::FlowOpen::new();
    let report = flow::carry_accepted(leg, &mut tunnel, number, taps, pass).await;
    closed.complete = matches!(report.ending, Ending::Finished);
    drop(closed);
    measured.ended(&report);
    measure::log_flow(info, open, &report);
    if !matches!(report.ending, Ending::Finished) {
        tunnel.abort(number, report.ending.abort_reason(LegLost::Upstream));
        return None;
    }
    if let Err(error) = request.leg.close() {
        tracing::warn!(%error, "a finished connection was reset");
    }
    Some(tunnel)
}

/// Finds another tunnel for a connection whose last one was dead, in a task of its own: the
/// tunnel's ends here. Nothing of the connection was read.
fn find_another(shared: &CoreShared, request: Box<Request>, drain: &Watcher) {
    let (shared, drain) = (shared.clone(), drain.clone());
    // Owned by the runtime; ends when the connection is handed over or refused.
    sys::task::spawn("reverse flow", async move {
        dispatch(&shared, request, &drain).await;
    });
}

/// Gives a connection to a tunnel, or ends it.
async fn dispatch(shared: &CoreShared, request: Box<Request>, drain: &Watcher) {
    match shared.offers.take(request, drain).await {
        Ok(()) => {}
        Err((request, NoLeg::Refused(reason))) => refuse(shared, *request, reason),
        Err((request, NoLeg::Unwanted(ending))) => not_opened(&request.info, &request.open, ending),
    }
}

/// Tells of a connection that nobody wants any more, before it was carried.
fn not_opened(info: &FlowInfo, open: &Open, unwanted: Ending) {
    measure::flow_ended(&unwanted);
    measure::log_flow(info, open, &Report::not_opened(unwanted));
}

/// Refuses in a task of its own: a peer may take its time, and neither a tunnel nor an order waits
/// for it.
fn refuse(shared: &CoreShared, request: Request, reason: Refusal) {
    let Request {
        leg,
        open,
        info,
        pass,
        permit,
        guard,
        ..
    } = request;
    // Nothing is carried any more.
    drop((pass, permit));
    measure::flow_refused(reason);
    tracing::info!(flow = %open.flow, device = %info.device, %reason,
        "a server's connection to a device was refused");
    let refusals = shared.refusals.clone();
    // Owned by the runtime; bounded in number and time by `Refusals`.
    sys::task::spawn("refusal", async move {
        let opening = Opening::new(info.protocol);
        refusals.refuse(leg, opening, reason).await;
        drop(guard);
    });
}
