//! Connects a checked flow to its service and pumps it: the innermost service of the core's stack.
//! Ward connects to a service for a flow and for nothing else.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::services::Services;
use super::session::Opened;
use crate::capture::{CaptureSink, FlowInfo};
use crate::config::Service;
use crate::contain::Pass;
use crate::flow::{self, Ending, Report};
use crate::frame::{Control, Open};
use crate::ids::DeviceId;
use crate::limits::UPSTREAM_CONNECT_TIMEOUT;
use crate::measure;
use crate::reach::{Carried, NoLeg, reach};
use crate::socket::Leg;
use crate::stack::{Arrival, Refusal, Refused};

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
        let leg = match reach(&service.upstream, tunnel, &pass, UPSTREAM_CONNECT_TIMEOUT).await {
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
        let mut closed = CloseOnDrop::new(&*self.capture, &info);
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
pub(super) struct CloseOnDrop<'a> {
    capture: &'a dyn CaptureSink,
    info: &'a FlowInfo,
    pub(super) complete: bool,
}

impl<'a> CloseOnDrop<'a> {
    pub(super) fn new(capture: &'a dyn CaptureSink, info: &'a FlowInfo) -> Self {
        Self {
            capture,
            info,
            complete: false,
        }
    }
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.capture.flow_closed(self.info.flow, self.complete);
    }
}
