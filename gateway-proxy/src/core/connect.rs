//! Connects a checked flow to its service and pumps it: the innermost service of the core's stack.
//! Ward connects to a service for a flow and for nothing else.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::services::Services;
use super::session::{Carried, Opened};
use crate::capture::{CaptureSink, FlowInfo};
use crate::config::{HostPort, Service};
use crate::contain::Pass;
use crate::flow::{self, Ending};
use crate::frame::Control;
use crate::ids::DeviceId;
use crate::limits::UPSTREAM_CONNECT_TIMEOUT;
use crate::measure;
use crate::socket::{self, Leg};
use crate::stack::{Arrival, Refusal, Refused};
use crate::tunnel::Tunnel;

/// See the module.
#[derive(Clone)]
pub(super) struct ConnectUpstream {
    services: Arc<Services>,
    capture: Arc<dyn CaptureSink>,
}

impl ConnectUpstream {
    pub(super) fn new(services: Arc<Services>, capture: Arc<dyn CaptureSink>) -> Self {
        Self { services, capture }
    }

    async fn carry(self, arrival: Arrival<Box<Opened>>) -> Result<Carried, Refused<Box<Opened>>> {
        let Some(service) = self.services.find(&arrival.service) else {
            return Err(Refused {
                reason: Refusal::ServiceUnknown,
                carrier: arrival.carrier,
            });
        };
        let Some(pass) = arrival.pass else {
            return Err(Refused {
                reason: Refusal::NoLease,
                carrier: arrival.carrier,
            });
        };
        let tunnel = &arrival.carrier.tunnel;
        let connected = while_wanted(tunnel, &pass, connect(&service.upstream)).await;
        let leg = match connected {
            Ok(leg) => leg,
            Err(NoLeg::Refused(reason)) => {
                return Err(Refused {
                    reason,
                    carrier: arrival.carrier,
                });
            }
            Err(NoLeg::Unwanted(ending)) => {
                let Opened { tunnel, number, .. } = *arrival.carrier;
                return Ok(Carried {
                    tunnel,
                    number,
                    ending,
                    pass,
                });
            }
        };
        let (device, permit) = (arrival.device, arrival.permit);
        let carried = self
            .pump(&service, device, leg, arrival.carrier, pass)
            .await;
        drop(permit);
        Ok(carried)
    }

    /// Tells the edge that its flow is connected, and carries it to its end.
    async fn pump(
        self,
        service: &Service,
        device: DeviceId,
        leg: Leg,
        opened: Box<Opened>,
        pass: Pass,
    ) -> Carried {
        let Opened {
            mut tunnel,
            number,
            open,
            ..
        } = *opened;
        if let Err(error) = tunnel.queue(number, &Control::OpenOk) {
            return Carried {
                tunnel,
                number,
                ending: Ending::TunnelLost(error),
                pass,
            };
        }
        let info = FlowInfo {
            flow: open.flow,
            device,
            protocol: service.protocol,
            service: service.name.clone(),
        };
        let taps = self.capture.flow_opened(&info);
        let mut closed = CloseOnDrop {
            capture: &*self.capture,
            info: &info,
            complete: false,
        };
        let measured = measure::FlowOpen::new();
        let report = flow::carry_accepted(&leg, &mut tunnel, number, taps, &pass).await;
        closed.complete = matches!(report.ending, Ending::Finished);
        drop(closed);
        measured.ended(&report);
        measure::log_flow(&info, &open, &report);
        if matches!(report.ending, Ending::Finished)
            && let Err(error) = leg.close()
        {
            tracing::warn!(flow = %open.flow, %error, "a finished connection was reset");
        }
        Carried {
            tunnel,
            number,
            ending: report.ending,
            pass,
        }
    }
}

/// Why there is no connection to a service.
enum NoLeg {
    Refused(Refusal),
    /// Nobody wants one any more.
    Unwanted(Ending),
}

/// Waits for a connection as long as the edge does, and the device may be served.
async fn while_wanted(
    tunnel: &Tunnel,
    pass: &Pass,
    connected: impl Future<Output = Result<Leg, Refusal>>,
) -> Result<Leg, NoLeg> {
    tokio::select! {
        biased;
        closed = pass.stopped() => Err(NoLeg::Unwanted(Ending::Cut(closed))),
        // Before the tunnel's end: a service that the device did reach gets its last bytes and
        // then the reset, as it would directly.
        connected = connected => connected.map_err(NoLeg::Refused),
        error = socket::failed(tunnel.tcp()) => {
            Err(NoLeg::Unwanted(Ending::TunnelLost(error.into())))
        }
    }
}

impl tower::Service<Arrival<Box<Opened>>> for ConnectUpstream {
    type Response = Carried;
    type Error = Refused<Box<Opened>>;
    type Future = Pin<Box<dyn Future<Output = Result<Carried, Refused<Box<Opened>>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, arrival: Arrival<Box<Opened>>) -> Self::Future {
        Box::pin(self.clone().carry(arrival))
    }
}

/// Tells the sink when a flow is over, also when its task is dropped.
struct CloseOnDrop<'a> {
    capture: &'a dyn CaptureSink,
    info: &'a FlowInfo,
    complete: bool,
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.capture.flow_closed(self.info.flow, self.complete);
    }
}

/// Connects to whichever of the service's addresses answers first.
async fn connect(upstream: &HostPort) -> Result<Leg, Refusal> {
    match tokio::time::timeout(UPSTREAM_CONNECT_TIMEOUT, connect_any(upstream)).await {
        Ok(Ok(leg)) => Ok(leg),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Refusal::UpstreamRefused)
        }
        Ok(Err(_)) | Err(_) => Err(Refusal::UpstreamUnreachable),
    }
}

async fn connect_any(upstream: &HostPort) -> io::Result<Leg> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in crate::accept::resolve(upstream).await? {
        match Leg::connect(address).await {
            Ok(leg) => return Ok(leg),
            Err(error) => last = error,
        }
    }
    Err(last)
}
