//! Connects a checked flow to its service and pumps it: the innermost service of the core's stack.
//! Ward connects to a service for a flow and for nothing else.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::Interest;

use super::services::Services;
use super::session::{Carried, Opened};
use crate::capture::{CaptureSink, FlowInfo};
use crate::config::{HostPort, Service};
use crate::contain::Pass;
use crate::flow::{self, Ending, Report};
use crate::frame::{Control, Open};
use crate::ids::DeviceId;
use crate::limits::UPSTREAM_CONNECT_TIMEOUT;
use crate::measure;
use crate::socket::{self, Ask, Leg};
use crate::stack::{Arrival, Refusal, Refused};
use crate::tunnel::{Tunnel, TunnelError};

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

    async fn carry(
        self,
        mut arrival: Arrival<Box<Opened>>,
    ) -> Result<Carried, Refused<Box<Opened>>> {
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
        let tunnel = &mut arrival.carrier.tunnel;
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
                return Ok(unwanted(
                    &service,
                    arrival.device,
                    *arrival.carrier,
                    pass,
                    ending,
                ));
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
        let info = info_of(service, device, &open);
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

/// The end of a flow whose service was not reached in time.
fn unwanted(
    service: &Service,
    device: DeviceId,
    opened: Opened,
    pass: Pass,
    ending: Ending,
) -> Carried {
    let Opened {
        tunnel,
        number,
        open,
        ..
    } = opened;
    let report = Report::not_opened(ending);
    measure::flow_ended(&report.ending);
    measure::log_flow(&info_of(service, device, &open), &open, &report);
    Carried {
        tunnel,
        number,
        ending: report.ending,
        pass,
    }
}

fn info_of(service: &Service, device: DeviceId, open: &Open) -> FlowInfo {
    FlowInfo {
        flow: open.flow,
        device,
        protocol: service.protocol,
        service: service.name.clone(),
    }
}

/// Why there is no connection to a service.
enum NoLeg {
    Refused(Refusal),
    /// Nobody wants one any more.
    Unwanted(Ending),
}

/// Waits for a connection as long as the edge does, and the device may be served. What a device
/// sent before it reset is brought to its service all the same, as it would be directly.
async fn while_wanted(
    tunnel: &mut Tunnel,
    pass: &Pass,
    connected: impl Future<Output = Result<Leg, Refusal>>,
) -> Result<Leg, NoLeg> {
    tokio::select! {
        biased;
        closed = pass.stopped() => Err(NoLeg::Unwanted(Ending::Cut(closed))),
        connected = connected => connected.map_err(NoLeg::Refused),
        error = gone(tunnel) => Err(NoLeg::Unwanted(Ending::TunnelLost(error))),
    }
}

/// Returns when the tunnel was reset and nothing of the flow is left to deliver.
async fn gone(tunnel: &mut Tunnel) -> TunnelError {
    let readiness = tunnel.tcp().ready(Interest::ERROR).await;
    // Bytes of the device come before the frame that explains the reset, so one look is enough; the
    // error itself stays in the socket, for the pump to find behind the bytes.
    if socket::unread(tunnel.tcp()) > 0 {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(Err(error)) = tunnel.poll_fill(&mut context, Ask::Now) {
            return error;
        }
    }
    if tunnel
        .inbox
        .flow()
        .is_some_and(|flow| !flow.data.is_empty())
    {
        return std::future::pending().await;
    }
    let error = readiness.err();
    error
        .unwrap_or_else(|| socket::error_of(tunnel.tcp()))
        .into()
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
