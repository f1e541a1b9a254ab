//! Connects a checked flow to its service and pumps it: the innermost service of the core's stack.
//! Ward connects to a service for a flow and for nothing else.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tower::Service;

use super::services::Services;
use super::session::{Carried, Opened};
use crate::capture::{CaptureSink, FlowInfo};
use crate::config::HostPort;
use crate::flow::{self, Ending};
use crate::frame::Control;
use crate::limits::UPSTREAM_CONNECT_TIMEOUT;
use crate::measure;
use crate::socket::Leg;
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

    async fn carry(self, arrival: Arrival<Opened>) -> Result<Carried, Refused<Opened>> {
        let Some(service) = self.services.find(&arrival.service) else {
            return Err(Refused {
                reason: Refusal::ServiceUnknown,
                carrier: arrival.carrier,
            });
        };
        let connected = connect(&service.upstream, &arrival.carrier.tunnel).await;
        let (device, permit) = (arrival.device, arrival.permit);
        let Opened {
            mut tunnel,
            number,
            open,
            certificate,
        } = arrival.carrier;
        let leg = match connected {
            Ok(leg) => leg,
            Err(Failure::Refused(reason)) => {
                let carrier = Opened {
                    tunnel,
                    number,
                    open,
                    certificate,
                };
                return Err(Refused { reason, carrier });
            }
            Err(Failure::TunnelLost(error)) => {
                let ending = Ending::TunnelLost(TunnelError::Connection(error));
                return Ok(Carried {
                    tunnel,
                    number,
                    ending,
                });
            }
        };
        if let Err(error) = tunnel.queue(number, &Control::OpenOk) {
            return Ok(Carried {
                tunnel,
                number,
                ending: Ending::TunnelLost(error),
            });
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
        let report = flow::carry_accepted(&leg, &mut tunnel, number, taps).await;
        closed.complete = matches!(report.ending, Ending::Finished);
        drop(closed);
        measured.ended(&report);
        measure::log_flow(&info, &open, &report);
        if matches!(report.ending, Ending::Finished)
            && let Err(error) = leg.close()
        {
            tracing::warn!(flow = %open.flow, %error, "a finished connection was reset");
        }
        drop(permit);
        Ok(Carried {
            tunnel,
            number,
            ending: report.ending,
        })
    }
}

impl Service<Arrival<Opened>> for ConnectUpstream {
    type Response = Carried;
    type Error = Refused<Opened>;
    type Future = Pin<Box<dyn Future<Output = Result<Carried, Refused<Opened>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, arrival: Arrival<Opened>) -> Self::Future {
        Box::pin(self.clone().carry(arrival))
    }
}

enum Failure {
    Refused(Refusal),
    TunnelLost(io::Error),
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

/// Connects, unless the edge gives up first: a device that is gone is not kept waiting for.
async fn connect(upstream: &HostPort, tunnel: &Tunnel) -> Result<Leg, Failure> {
    let attempt = tokio::time::timeout(UPSTREAM_CONNECT_TIMEOUT, connect_any(upstream));
    tokio::select! {
        connected = attempt => match connected {
            Ok(Ok(leg)) => Ok(leg),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(Failure::Refused(Refusal::UpstreamRefused))
            }
            Ok(Err(_)) | Err(_) => Err(Failure::Refused(Refusal::UpstreamUnreachable)),
        },
        _ = tunnel.tcp().ready(Interest::ERROR) => {
            Err(Failure::TunnelLost(io::ErrorKind::ConnectionReset.into()))
        }
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
