//! Carries a device's connection through a tunnel: the innermost service of the edge's stack.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::Service;

use super::DeviceConnection;
use super::pool::{Pool, Taken};
use crate::capture::FlowInfo;
use crate::config::Route;
use crate::flow::{self, Ending, Report};
use crate::frame::{Control, FlowNumber, Open};
use crate::ids::FlowId;
use crate::measure;
use crate::refuse::Refusals;
use crate::stack::{Arrival, Refusal, Refused};

/// See the module.
#[derive(Clone)]
pub(super) struct CarryToCore {
    route: Arc<Route>,
    pool: Arc<Pool>,
    refusals: Refusals,
}

impl CarryToCore {
    pub(super) fn new(route: Arc<Route>, pool: Arc<Pool>, refusals: Refusals) -> Self {
        Self {
            route,
            pool,
            refusals,
        }
    }

    async fn carry(
        self,
        arrival: Arrival<DeviceConnection>,
    ) -> Result<(), Refused<DeviceConnection>> {
        let Arrival {
            device,
            service,
            carrier,
            permit,
        } = arrival;
        let open = Open {
            flow: FlowId::random(),
            service,
            protocol: self.route.protocol,
            source: Some(carrier.source),
            destination: carrier.destination,
        };
        let info = FlowInfo {
            flow: open.flow,
            device,
            protocol: open.protocol,
            service: open.service.clone(),
        };
        let mut taken = match self.pool.take().await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(device = %info.device, error = %measure::chain(&error), "no tunnel");
                return Err(Refused {
                    reason: Refusal::CoreUnreachable,
                    carrier,
                });
            }
        };
        loop {
            let (ended, again) = self.attempt(&carrier, taken, &open).await;
            // A tunnel that was idle may have lost its core unseen. Nothing was answered and
            // nothing of the device's was sent, so a fresh one starts from the beginning.
            match again {
                Again::Fresh => match self.pool.fresh().await {
                    Ok(fresh) => taken = fresh,
                    Err(_) => {
                        return Err(Refused {
                            reason: Refusal::CoreUnreachable,
                            carrier,
                        });
                    }
                },
                Again::No => {
                    measure::log_flow(&info, &open, &ended);
                    drop(permit);
                    self.end(carrier, &ended).await;
                    return Ok(());
                }
            }
        }
    }

    /// Opens the flow on this tunnel and carries it to its end.
    async fn attempt(
        &self,
        carrier: &DeviceConnection,
        taken: Taken,
        open: &Open,
    ) -> (Report, Again) {
        let Taken {
            mut tunnel,
            made,
            reused,
        } = taken;
        measure::tunnel_used(reused);
        let measured = measure::FlowOpen::new();
        let number = tunnel.inbox.begin();
        let taps = carrier.opening.taps();
        let queued = number.map(|number| {
            tunnel
                .queue(number, &Control::Open(open.clone()))
                .map(|()| number)
        });
        let report = match queued {
            Some(Ok(number)) => flow::carry_opened(&carrier.leg, &mut tunnel, number, taps).await,
            Some(Err(error)) => Report::not_opened(Ending::TunnelLost(error)),
            None => Report::not_opened(Ending::TunnelLost(crate::tunnel::TunnelError::Ended)),
        };
        measured.ended(&report);
        measure::stale_frames(std::mem::take(&mut tunnel.inbox.stale));
        let number = number.unwrap_or(FlowNumber::CONNECTION);
        match &report.ending {
            Ending::Finished | Ending::Rejected { .. } => self.pool.keep(tunnel, made),
            Ending::LegLost(_) => tunnel.abort(number, "DEVICE_RESET"),
            Ending::NoAnswer => tunnel.abort(number, "NO_ANSWER"),
            Ending::Aborted(_) | Ending::TunnelLost(_) => tunnel.abort(number, "ABORTED"),
        }
        if reused && !report.answered {
            match &report.ending {
                Ending::TunnelLost(_) | Ending::NoAnswer => self.pool.lost(),
                Ending::Finished
                | Ending::Rejected { .. }
                | Ending::LegLost(_)
                | Ending::Aborted(_) => {}
            }
        }
        let stale = reused && !report.answered && report.sent == 0;
        let again = match &report.ending {
            Ending::TunnelLost(_) if stale => Again::Fresh,
            Ending::TunnelLost(_)
            | Ending::Finished
            | Ending::Rejected { .. }
            | Ending::LegLost(_)
            | Ending::Aborted(_)
            | Ending::NoAnswer => Again::No,
        };
        (report, again)
    }

    /// A finished flow's leg is closed; every other one is reset, which for the device is what a
    /// refused or broken connection looks like, unless its protocol has a word for it.
    async fn end(&self, carrier: DeviceConnection, report: &Report) {
        match &report.ending {
            Ending::Finished => {
                if let Err(error) = carrier.leg.close() {
                    tracing::warn!(%error, "a finished connection was reset");
                }
            }
            Ending::Rejected { reason, .. } => {
                let DeviceConnection { leg, opening, .. } = carrier;
                if let Some(reason) = Refusal::named(reason) {
                    self.refusals.refuse(leg, opening, reason).await;
                }
            }
            Ending::LegLost(_) | Ending::Aborted(_) | Ending::TunnelLost(_) | Ending::NoAnswer => {}
        }
    }
}

enum Again {
    Fresh,
    No,
}

impl Service<Arrival<DeviceConnection>> for CarryToCore {
    type Response = ();
    type Error = Refused<DeviceConnection>;
    type Future = Pin<Box<dyn Future<Output = Result<(), Refused<DeviceConnection>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, arrival: Arrival<DeviceConnection>) -> Self::Future {
        Box::pin(self.clone().carry(arrival))
    }
}
