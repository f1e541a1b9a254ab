//! Whether a core still answers. A power cut or a lost address translation leaves tunnels that look
//! open; one PING a while for each edge and core, on whichever idle tunnel comes first, finds that
//! out before the next flow does. Kept by the pools that reach the core, on every data thread.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::frame::{Control, FlowNumber};
use crate::limits::{PING_INTERVAL, PING_TIMEOUT};
use crate::measure;
use crate::socket::Ask;
use crate::tunnel::{Tunnel, TunnelError};

/// What is known of one core; shared by everything that reaches it.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Rises when the core was found not to answer. Idle tunnels made before that are not used.
    doubts: AtomicU64,
    asked: Mutex<Option<Instant>>,
    pings: AtomicU64,
}

impl Pulse {
    /// How often the core was found not to answer.
    pub(super) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::Acquire)
    }

    /// The core did not answer on a tunnel that was idle: its other idle tunnels are no better.
    pub(super) fn lost(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }

    /// The core did not answer a PING.
    pub(super) fn unanswered(&self) {
        measure::ping("no_answer");
        tracing::warn!(
            "a core did not answer within {PING_TIMEOUT:?}; its idle tunnels are dropped"
        );
        self.lost();
    }

    /// Whether it is time to ask again; who is told so is the one to ask.
    pub(super) fn take_turn(&self, now: Instant) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = asked.is_none_or(|last| now.duration_since(last) >= PING_INTERVAL);
        if due {
            *asked = Some(now);
        }
        due
    }

    /// Asks on an idle tunnel, and gives it back when the core answered.
    pub(super) async fn ask(&self, mut tunnel: Tunnel) -> Option<Tunnel> {
        let token = self.pings.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        match tokio::time::timeout(PING_TIMEOUT, ping(&mut tunnel, token)).await {
            Ok(Ok(())) => {
                measure::ping("answered");
                Some(tunnel)
            }
            // A core that closes or resets a tunnel is there.
            Ok(Err(_)) => {
                measure::ping("tunnel_lost");
                None
            }
            Err(_) => {
                self.unanswered();
                tunnel.abort(FlowNumber::CONNECTION, "NO_ANSWER");
                None
            }
        }
    }
}

async fn ping(tunnel: &mut Tunnel, token: [u8; 8]) -> Result<(), TunnelError> {
    tunnel.queue(FlowNumber::CONNECTION, &Control::Ping { token })?;
    poll_fn(|context: &mut Context<'_>| {
        loop {
            if let Poll::Ready(Err(error)) = tunnel.poll_flush(context) {
                return Poll::Ready(Err(error));
            }
            if tunnel.inbox.pong == Some(token) {
                tunnel.inbox.pong = None;
                return Poll::Ready(Ok(()));
            }
            match tunnel.poll_fill(context, Ask::WhenReady) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
