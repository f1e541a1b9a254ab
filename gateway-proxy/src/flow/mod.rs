//! One flow: a plain leg on one side, a tunnel on the other, two independent pumps between them,
//! and the endings. Run by the edge for a device and by the core for a service; both do the same.
//!
//! ```text
//!            outbound: read leg ─▶ seal ─▶ send
//!   leg  ◀──────────────────────────────────────▶  tunnel
//!            inbound:  write leg ◀─ open ◀─ read
//! ```
//!
//! | this side sees | the other side's leg gets |
//! |---|---|
//! | FIN | FIN, after every byte before it |
//! | a reset, a dead connection | a reset, overtaking what is still queued |
//! | the tunnel reset, ended, or talking nonsense | a reset |
//! | an order against the device, or the end of its lease | a reset, and so does this one |

mod inbound;
mod outbound;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Sleep;

use crate::capture::{DirectionTap, FlowTaps};
use crate::contain::{Closed, Pass};
use crate::frame::FlowNumber;
use crate::limits::{OPEN_TIMEOUT, SILENCE_CHECK_INTERVAL};
use crate::socket::{self, Ask, Leg, Sent};
use crate::tunnel::inbox::{Answer, Misbehaved};
use crate::tunnel::{Tunnel, TunnelError};
use inbound::Inbound;
use outbound::Outbound;

/// How a flow ended.
#[derive(Debug)]
pub enum Ending {
    /// Both directions ended with a FIN and were delivered. The tunnel can carry the next flow.
    Finished,
    /// The core refused the flow. The tunnel can carry the next one.
    Rejected {
        /// Why.
        reason: String,
        /// Whether it may succeed later.
        retryable: bool,
    },
    /// Our leg was reset or died.
    LegLost(io::Error),
    /// The other side's leg was reset or died, and this is what it says of it.
    Aborted(String),
    /// The tunnel failed.
    TunnelLost(TunnelError),
    /// The core did not answer in time.
    NoAnswer,
    /// The device may not communicate any more.
    Cut(Closed),
}

/// Whose leg was lost, as the other half is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LegLost {
    /// The device's, at an edge.
    Device,
    /// The service's, at a core.
    Upstream,
}

/// What came of a flow.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// Edge: whether the core has answered at all.
    pub answered: bool,
    /// Bytes from our leg that were given to the tunnel.
    pub sent: u64,
    /// Bytes of the peer's stream that were written to our leg.
    pub delivered: u64,
}

impl Ending {
    /// What ABORT tells the other side of an unfinished flow. `leg_lost` is what our leg is called
    /// there.
    pub(crate) fn abort_reason(&self, leg_lost: LegLost) -> &'static str {
        match self {
            Self::LegLost(_) => leg_lost.as_str(),
            Self::Aborted(_) => "ABORTED",
            Self::TunnelLost(_) => "TUNNEL_LOST",
            Self::NoAnswer => "NO_ANSWER",
            Self::Cut(closed) => closed.as_str(),
            Self::Finished | Self::Rejected { .. } => "INTERNAL",
        }
    }
}

impl LegLost {
    fn as_str(self) -> &'static str {
        match self {
            Self::Device => "DEVICE_RESET",
            Self::Upstream => "UPSTREAM_RESET",
        }
    }
}

impl Report {
    /// A flow that did not even come to be opened.
    pub fn not_opened(ending: Ending) -> Self {
        Self {
            ending,
            answered: false,
            sent: 0,
            delivered: 0,
        }
    }
}

/// Whether a pump has to wait, or only gives the others a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Waits,
    Again,
}

struct Flow<'a> {
    leg: &'a Leg,
    tunnel: &'a mut Tunnel,
    number: FlowNumber,
    /// Asked right before each write.
    pass: &'a Pass,
    outbound: Outbound,
    inbound: Inbound,
    /// Edge: until the core has answered.
    unanswered: Option<Pin<Box<Sleep>>>,
    /// Until it is looked at whether both peers have taken what was moved.
    silence: Option<Pin<Box<Sleep>>>,
    /// Bytes moved when that was last decided.
    watched: u64,
    /// Writing to the leg found it reset, so that the end of what is read from it is no FIN.
    leg_reset: bool,
}

/// Carries a flow that this edge has just opened: its OPEN is queued in the tunnel. The device's
/// bytes follow it without waiting for the answer.
pub async fn carry_opened(
    leg: &Leg,
    tunnel: &mut Tunnel,
    number: FlowNumber,
    taps: FlowTaps,
    pass: &Pass,
) -> Report {
    let mut flow = Flow::beside_device(leg, tunnel, number, taps, pass);
    flow.unanswered = Some(Box::pin(tokio::time::sleep(OPEN_TIMEOUT)));
    carry(flow).await
}

/// Carries a flow towards this edge's device: our OPEN_OK is queued in the tunnel.
pub async fn carry_to_device(
    leg: &Leg,
    tunnel: &mut Tunnel,
    number: FlowNumber,
    taps: FlowTaps,
    pass: &Pass,
) -> Report {
    carry(Flow::beside_device(leg, tunnel, number, taps, pass)).await
}

/// Carries a flow at the core, between its service and a tunnel where OPEN was answered by OPEN_OK:
/// ours, queued in the tunnel, or the edge's.
pub async fn carry_accepted(
    leg: &Leg,
    tunnel: &mut Tunnel,
    number: FlowNumber,
    taps: FlowTaps,
    pass: &Pass,
) -> Report {
    let taps = (taps.to_device, taps.to_service);
    carry(Flow::new(leg, tunnel, number, taps, pass)).await
}

async fn carry(mut flow: Flow<'_>) -> Report {
    let tunnel_tcp = Arc::clone(flow.tunnel.tcp());
    // Resets must be seen also while a pump does not read, because its other side is stalled.
    let mut leg_fails = pin!(socket::failed(flow.leg.tcp()));
    let mut tunnel_fails = pin!(socket::failed(&tunnel_tcp));
    let ending = std::future::poll_fn(|context| {
        // Before anything is moved: an order does not wait for a pump that has work.
        if let Poll::Ready(closed) = flow.pass.poll_stopped(context) {
            return Poll::Ready(Ending::Cut(closed));
        }
        match flow.poll(context) {
            Ok(Turn::Waits) => {}
            Ok(Turn::Again) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Err(ending) => return Poll::Ready(ending),
        }
        // What could be moved was moved above, so that bytes sent just before a reset still
        // arrive, as they would on a direct connection.
        if let Poll::Ready(error) = leg_fails.as_mut().poll(context) {
            return Poll::Ready(Ending::LegLost(error));
        }
        if let Poll::Ready(error) = tunnel_fails.as_mut().poll(context) {
            return Poll::Ready(Ending::TunnelLost(TunnelError::Connection(error)));
        }
        if let Poll::Ready(ending) = flow.poll_silence(context) {
            return Poll::Ready(ending);
        }
        flow.poll_answer_timeout(context)
    })
    .await;
    flow.report(ending)
}

impl<'a> Flow<'a> {
    /// With the taps of what goes out, from the leg into the tunnel, and of what comes in.
    fn new(
        leg: &'a Leg,
        tunnel: &'a mut Tunnel,
        number: FlowNumber,
        (outbound, inbound): (Box<dyn DirectionTap>, Box<dyn DirectionTap>),
        pass: &'a Pass,
    ) -> Self {
        Self {
            leg,
            tunnel,
            number,
            pass,
            outbound: Outbound::new(outbound),
            inbound: Inbound::new(inbound),
            unanswered: None,
            silence: None,
            watched: 0,
            leg_reset: false,
        }
    }

    /// At the edge, whose leg is the device's.
    fn beside_device(
        leg: &'a Leg,
        tunnel: &'a mut Tunnel,
        number: FlowNumber,
        taps: FlowTaps,
        pass: &'a Pass,
    ) -> Self {
        Self::new(leg, tunnel, number, (taps.to_service, taps.to_device), pass)
    }
}

impl Flow<'_> {
    /// Moves what can be moved. An ending is an `Err`, so that `?` ends the flow.
    fn poll(&mut self, context: &mut Context<'_>) -> Result<Turn, Ending> {
        let inbound = match self.poll_inbound(context, Ask::WhenReady) {
            Err(Ending::LegLost(error)) => {
                // EPIPE is how the kernel says that a FIN had come before the reset.
                self.leg_reset = error.kind() != io::ErrorKind::BrokenPipe;
                self.last_words(context, Self::poll_outbound);
                return Err(Ending::LegLost(error));
            }
            other => other?,
        };
        // After the inbound pump: it may have queued an ACK, which the outbound one sends.
        let outbound = match self.poll_outbound(context, Ask::WhenReady) {
            Err(ending @ Ending::TunnelLost(_)) => {
                self.last_words(context, Self::poll_inbound);
                return Err(ending);
            }
            other => other?,
        };
        if self.is_finished()? {
            return Err(Ending::Finished);
        }
        Ok(if [inbound, outbound].contains(&Turn::Again) {
            Turn::Again
        } else {
            Turn::Waits
        })
    }

    /// Whether the device may still communicate; asked right before each write.
    fn may_write(&self) -> Result<(), Ending> {
        self.pass.check().map_err(Ending::Cut)
    }

    /// Writing to a connection found it reset. What its peer had sent before is still in the
    /// kernel, and is passed on as it would be read on a direct connection.
    fn last_words(
        &mut self,
        context: &mut Context<'_>,
        pump: fn(&mut Self, &mut Context<'_>, Ask) -> Result<Turn, Ending>,
    ) {
        // Bounded by the kernel's buffer: nothing more can come.
        while matches!(pump(self, context, Ask::Now), Ok(Turn::Again)) {}
    }

    /// Both streams have ended, both were delivered, and both sides know.
    fn is_finished(&mut self) -> Result<bool, Ending> {
        let sent = self.outbound.ended().then_some(self.outbound.sent());
        let Some(acknowledged) = self.tunnel.inbox.flow().and_then(|flow| flow.acknowledged) else {
            return Ok(false);
        };
        if sent != Some(acknowledged) {
            return Err(Ending::TunnelLost(Misbehaved::BadStream.into()));
        }
        Ok(self.inbound.ended() && self.tunnel.is_flushed())
    }

    fn poll_answer_timeout(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        let Some(deadline) = &mut self.unanswered else {
            return Poll::Pending;
        };
        deadline.as_mut().poll(context).map(|()| Ending::NoAnswer)
    }

    /// Finds a peer that died with bytes on their way to it. An idle flow has no timer: there
    /// keepalive does the same.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        let moved = self.outbound.sent() + self.inbound.delivered();
        if self.silence.is_none() && moved != self.watched {
            self.silence = Some(Box::pin(tokio::time::sleep(SILENCE_CHECK_INTERVAL)));
        }
        while let Some(timer) = &mut self.silence {
            ready!(timer.as_mut().poll(context));
            let leg = socket::sent(self.leg.tcp());
            let tunnel = socket::sent(self.tunnel.tcp());
            match (leg, tunnel) {
                (Ok(Sent::Unanswered), _) => {
                    return Poll::Ready(Ending::LegLost(io::ErrorKind::TimedOut.into()));
                }
                (Err(error), _) => return Poll::Ready(Ending::LegLost(error)),
                (_, Ok(Sent::Unanswered)) => {
                    let error = io::Error::from(io::ErrorKind::TimedOut);
                    return Poll::Ready(Ending::TunnelLost(error.into()));
                }
                (_, Err(error)) => return Poll::Ready(Ending::TunnelLost(error.into())),
                (Ok(Sent::Taken), Ok(Sent::Taken)) => {
                    self.watched = moved;
                    self.silence = None;
                }
                (Ok(_), Ok(_)) => {
                    let next = tokio::time::Instant::now() + SILENCE_CHECK_INTERVAL;
                    timer.as_mut().reset(next);
                }
            }
        }
        Poll::Pending
    }

    /// The peer's ABORT, if it has sent one.
    fn check_abort(&mut self) -> Result<(), Ending> {
        let flow = self.tunnel.inbox.flow();
        match flow.and_then(|flow| flow.aborted.take()) {
            Some(reason) => Err(Ending::Aborted(reason)),
            None => Ok(()),
        }
    }

    /// Edge: the core's answer to OPEN, once it is there.
    fn check_answer(&mut self) -> Result<(), Ending> {
        let Some(flow) = self.tunnel.inbox.flow() else {
            return Ok(());
        };
        match &flow.answer {
            Some(Answer::Accepted) => self.unanswered = None,
            Some(Answer::Rejected { reason, retryable }) => {
                return Err(Ending::Rejected {
                    reason: reason.clone(),
                    retryable: *retryable,
                });
            }
            None => {}
        }
        Ok(())
    }

    fn report(mut self, ending: Ending) -> Report {
        if !matches!(ending, Ending::Finished) {
            self.outbound.aborted();
            self.inbound.aborted();
        }
        self.tunnel.inbox.end();
        Report {
            ending,
            answered: self.unanswered.is_none(),
            sent: self.outbound.sent(),
            delivered: self.inbound.delivered(),
        }
    }
}
