//! Connects a checked flow to its service and pumps it: the innermost service of the core's stack.
//! Ward connects to a service for a flow and for nothing else.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::Service;

use super::services::Services;
use super::session::{Carried, Opened};
use crate::capture::{CaptureSink, FlowInfo};
use crate::flow::{self, Ending};
use crate::frame::Control;
use crate::measure;
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

    async fn carry(self, arrival: Arrival<Box<Opened>>) -> Result<Carried, Refused<Box<Opened>>> {
        let Some(service) = self.services.find(&arrival.service) else {
            return Err(Refused {
                reason: Refusal::ServiceUnknown,
                carrier: arrival.carrier,
            });
        };
        let leg = match crate::accept::reach(&service.upstream).await {
            Ok(leg) => leg,
            Err(reason) => {
                return Err(Refused {
                    reason,
                    carrier: arrival.carrier,
                });
            }
        };
        let (device, permit) = (arrival.device, arrival.permit);
        let Opened {
            mut tunnel,
            number,
            open,
            ..
        } = *arrival.carrier;
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
        let mut closed = CloseOnDrop::new(&*self.capture, &info);
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

impl Service<Arrival<Box<Opened>>> for ConnectUpstream {
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
