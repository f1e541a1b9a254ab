//! Carries a device's connection through a tunnel: the innermost service of the edge's stack.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::Service;

use super::DeviceConnection;
use super::dial::DialError;
use super::pool::{Pool, Taken};
use crate::capture::FlowInfo;
use crate::config::Route;
use crate::contain::Pass;
use crate::flow::{self, Ending, LegLost, Report};
use crate::frame::{Control, FlowNumber, Open};
use crate::ids::FlowId;
use crate::measure;
use crate::refuse::Refusals;
use crate::socket::Leg;
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
            pass,
            permit,
        } = arrival;
        let Some(pass) = pass else {
            return Err(refused(Refusal::NoLease, carrier));
        };
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
        let mut dialled = while_wanted(&carrier.leg, &pass, self.pool.take()).await;
        let ended = loop {
            let taken = match dialled {
                Ok(taken) => taken,
                Err(NoTunnel::Unwanted(ending)) => {
                    measure::flow_ended(&ending);
                    break Report::not_opened(ending);
                }
                Err(NoTunnel::Dial(error)) => {
                    let (device, error) = (&info.device, measure::chain(&error));
                    tracing::warn!(%device, error, "no tunnel");
                    return Err(refused(Refusal::CoreUnreachable, carrier));
                }
            };
            let (ended, again) = self.attempt(&carrier, taken, &open, &pass).await;
            // A tunnel that was idle may have lost its core unseen. Nothing was answered and
            // nothing of the device's was sent, so a fresh one starts from the beginning.
            match again {
                Again::Fresh => {
                    dialled = while_wanted(&carrier.leg, &pass, self.pool.fresh()).await;
                }
                Again::No => break ended,
            }
        };
        measure::log_flow(&info, &open, &ended);
        if let Ending::Rejected { reason, .. } = &ended.ending {
            // Nothing is carried any more: who waits for the order does not wait for these words.
            drop((permit, pass));
            let DeviceConnection { leg, opening, .. } = carrier;
            if let Some(reason) = Refusal::named(reason) {
                self.refusals.refuse(leg, opening, reason).await;
            }
            return Ok(());
        }
        end(carrier.leg, &ended);
        drop(permit);
        // Last: both connections of the flow are gone.
        drop(pass);
        Ok(())
    }

    /// Opens the flow on this tunnel and carries it to its end.
    async fn attempt(
        &self,
        carrier: &DeviceConnection,
        taken: Taken,
        open: &Open,
        pass: &Pass,
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
            Some(Ok(number)) => {
                flow::carry_opened(&carrier.leg, &mut tunnel, number, taps, pass).await
            }
            Some(Err(error)) => Report::not_opened(Ending::TunnelLost(error)),
            None => Report::not_opened(Ending::TunnelLost(crate::tunnel::TunnelError::Ended)),
        };
        measured.ended(&report);
        measure::stale_frames(std::mem::take(&mut tunnel.inbox.stale));
        let number = number.unwrap_or(FlowNumber::CONNECTION);
        match &report.ending {
            Ending::Finished | Ending::Rejected { .. } => self.pool.keep(tunnel, made),
            unfinished @ (Ending::LegLost(_)
            | Ending::NoAnswer
            | Ending::Cut(_)
            | Ending::Aborted(_)
            | Ending::TunnelLost(_)) => {
                tunnel.abort(number, unfinished.abort_reason(LegLost::Device));
            }
        }
        if reused && !report.answered {
            match &report.ending {
                Ending::TunnelLost(_) | Ending::NoAnswer => self.pool.lost(),
                Ending::Finished
                | Ending::Rejected { .. }
                | Ending::LegLost(_)
                | Ending::Aborted(_)
                | Ending::Cut(_) => {}
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
            | Ending::NoAnswer
            | Ending::Cut(_) => Again::No,
        };
        (report, again)
    }
}

/// A finished flow's leg is closed; every other one is reset, which for the device is what a broken
/// connection looks like.
fn end(leg: Leg, report: &Report) {
    if matches!(report.ending, Ending::Finished)
        && let Err(error) = leg.close()
    {
        tracing::warn!(%error, "a finished connection was reset");
    }
}

enum Again {
    Fresh,
    No,
}

/// Why there is no tunnel for a flow.
enum NoTunnel {
    Dial(DialError),
    /// Nobody wants one any more.
    Unwanted(Ending),
}

/// Waits for a tunnel as long as the device does, and may be served. A device that sent something
/// and reset waits for nothing, but what it sent is carried on, as it would be directly.
async fn while_wanted(
    leg: &Leg,
    pass: &Pass,
    tunnel: impl Future<Output = Result<Taken, DialError>>,
) -> Result<Taken, NoTunnel> {
    tokio::select! {
        biased;
        closed = pass.stopped() => Err(NoTunnel::Unwanted(Ending::Cut(closed))),
        taken = tunnel => taken.map_err(NoTunnel::Dial),
        error = leg.gone() => Err(NoTunnel::Unwanted(Ending::LegLost(error))),
    }
}

fn refused(reason: Refusal, carrier: DeviceConnection) -> Refused<DeviceConnection> {
    Refused { reason, carrier }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn room<A, B, F>(_function: impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// Every flow holds it, for as long as it lasts.
    #[test]
    fn a_flow_s_task_needs_little_room() {
        let room = room(CarryToCore::carry);
        assert!(room <= 4 * 1024, "{room} bytes");
    }
}
