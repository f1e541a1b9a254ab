//! Whether a core still answers. A power cut or a lost address translation leaves tunnels that look
//! open; a PING now and then finds that out before the next flow does. One goes to each core, on an
//! idle tunnel of the pool that looks through its own first, and one on each tunnel that is on
//! offer. Kept by the pools that reach the core, on every data thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::frame::{Control, FlowNumber};
use crate::limits::{PING_INTERVAL, PING_TIMEOUT};
use crate::measure;
use crate::tunnel::{Tunnel, TunnelError};

/// What is known of one core; shared by everything that reaches it.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Rises when the core was found not to answer. Idle tunnels made before that are not used.
    doubts: AtomicU64,
    asked: Mutex<Option<Instant>>,
    pings: AtomicU64,
}

/// A PING on an idle tunnel.
#[derive(Debug)]
pub(super) struct Ping {
    token: [u8; 8],
    since: Instant,
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
        match tokio::time::timeout(PING_TIMEOUT, self.answer(&mut tunnel)).await {
            Ok(Ok(())) => Some(tunnel),
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

    async fn answer(&self, tunnel: &mut Tunnel) -> Result<(), TunnelError> {
        let ping = self.ping(tunnel)?;
        while !ping.is_answered(tunnel) {
            tunnel.hear().await?;
        }
        Ok(())
    }

    /// Asks on an idle tunnel, with what it sends next.
    pub(super) fn ping(&self, tunnel: &mut Tunnel) -> Result<Ping, TunnelError> {
        let token = self.pings.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        tunnel.queue(FlowNumber::CONNECTION, &Control::Ping { token })?;
        let since = sys::clock::monotonic();
        Ok(Ping { token, since })
    }
}

impl Ping {
    /// Whether its answer is there, which is taken.
    pub(super) fn is_answered(&self, tunnel: &mut Tunnel) -> bool {
        let answered = tunnel.inbox.pong.take() == Some(self.token);
        if answered {
            measure::ping("answered");
        }
        answered
    }

    /// Whether its answer should have been there.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now.duration_since(self.since) > PING_TIMEOUT
    }
}
