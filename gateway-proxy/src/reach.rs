//! Connecting a flow that the peer of a tunnel has opened: at the core to a service, at the edge to
//! a device. Ward connects for a flow and for nothing else, and no longer than somebody wants it.

use std::future::Future;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::Interest;

use crate::accept::resolve;
use crate::config::HostPort;
use crate::contain::Pass;
use crate::flow::{Ending, LegLost};
use crate::frame::{Control, FlowNumber};
use crate::measure;
use crate::socket::{self, Ask, Leg};
use crate::stack::Refusal;
use crate::tunnel::{Tunnel, TunnelError};

/// A flow that was carried to its end.
pub(crate) struct Carried {
    /// The tunnel.
    pub(crate) tunnel: Tunnel,
    /// The flow's number.
    pub(crate) number: FlowNumber,
    /// How it ended.
    pub(crate) ending: Ending,
    /// Given back when the tunnel is reset, too.
    pub(crate) pass: Pass,
}

impl Carried {
    /// The tunnel, when it can carry the next flow; otherwise it is reset, and then the pass is
    /// given back.
    pub(crate) fn usable(self, leg_lost: LegLost) -> Option<Tunnel> {
        if matches!(self.ending, Ending::Finished) {
            return Some(self.tunnel);
        }
        let reason = self.ending.abort_reason(leg_lost);
        self.tunnel.abort(self.number, reason);
        drop(self.pass);
        None
    }
}

/// Answers OPEN with a refusal; the tunnel can carry the next flow.
///
/// # Errors
/// The tunnel cannot be used any more.
pub(crate) fn reject(
    tunnel: &mut Tunnel,
    number: FlowNumber,
    reason: Refusal,
) -> Result<(), TunnelError> {
    measure::flow_refused(reason);
    tunnel.inbox.end();
    let rejected = Control::OpenRejected {
        reason: reason.as_str().to_owned(),
        retryable: reason.is_retryable(),
    };
    tunnel.queue(number, &rejected)
}

/// Why a flow has no connection to where it wants to go.
#[derive(Debug)]
pub(crate) enum NoLeg {
    Refused(Refusal),
    /// Nobody wants one any more.
    Unwanted(Ending),
}

/// Connects to whichever of the host's addresses answers first, within `limit`, for as long as the
/// tunnel's peer wants it and the device may be served. What that peer's leg sent before it reset
/// is delivered all the same, as it would be directly.
///
/// # Errors
/// Why there is no connection.
pub(crate) async fn reach(
    target: &HostPort,
    tunnel: &mut Tunnel,
    pass: &Pass,
    limit: Duration,
) -> Result<Leg, NoLeg> {
    while_wanted(tunnel, pass, connect(target, limit)).await
}

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
    // Bytes of the flow come before the frame that explains the reset, so one look is enough; the
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

async fn connect(target: &HostPort, limit: Duration) -> Result<Leg, Refusal> {
    match tokio::time::timeout(limit, connect_any(target)).await {
        Ok(Ok(leg)) => Ok(leg),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Refusal::UpstreamRefused)
        }
        Ok(Err(_)) | Err(_) => Err(Refusal::UpstreamUnreachable),
    }
}

async fn connect_any(target: &HostPort) -> io::Result<Leg> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in resolve(target).await? {
        match Leg::connect(address).await {
            Ok(leg) => return Ok(leg),
            Err(error) => last = error,
        }
    }
    Err(last)
}
