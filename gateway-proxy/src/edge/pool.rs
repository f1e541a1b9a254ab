//! One device's idle tunnels to one core, on one data thread. A device that connects for every
//! message pays for one handshake; a warm spare hides the first one. Only the edge closes idle
//! tunnels.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::credentials::{Credentials, DeviceTls};
use super::dial::{DialError, dial};
use super::pulse::{Ping, Pulse};
use crate::config::HostPort;
use crate::drain::Watcher;
use crate::limits::{
    IDLE_TUNNEL_AGE_MAX, IDLE_TUNNELS_PER_DEVICE_MAX, POOL_SWEEP_INTERVAL, WARM_SPARE_AGE_MAX,
};
use crate::measure;
use crate::tunnel::{Tunnel, TunnelError};

/// How one device reaches one core; shared by its routes and by every data thread.
pub struct Reach {
    core: HostPort,
    credentials: Credentials,
    pulse: Arc<Pulse>,
    /// Idle tunnels on all threads.
    idle: AtomicUsize,
}

/// See the module.
pub(super) struct Pool {
    reach: Arc<Reach>,
    state: Mutex<State>,
    warming: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Youngest last: the warmest is used first, the others grow old and are closed.
    idle: Vec<Idle>,
    last_flow: Option<Instant>,
}

struct Idle {
    tunnel: Tunnel,
    made: Made,
    since: Instant,
    /// Counts down when the tunnel is idle no more.
    place: Counted,
}

/// Under what a tunnel was made. It is not used again when either has moved on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    /// Of the certificate.
    generation: u64,
    /// How often the core had been found not to answer.
    doubts: u64,
}

/// A tunnel taken out of the pool.
pub(super) struct Taken {
    pub(super) tunnel: Tunnel,
    pub(super) made: Made,
    /// It was idle, so that the core may have gone without our knowing.
    pub(super) reused: bool,
}

struct Counted(Arc<Reach>);

impl Reach {
    /// To the core at this address, with these certificates; its pulse is shared by everything
    /// that reaches that core.
    pub fn new(core: HostPort, credentials: Credentials, pulse: Arc<Pulse>) -> Arc<Self> {
        Arc::new(Self {
            core,
            credentials,
            pulse,
            idle: AtomicUsize::new(0),
        })
    }

    fn tls(&self) -> Result<Arc<DeviceTls>, DialError> {
        self.credentials.current().ok_or(DialError::NoCertificate)
    }

    fn made(&self, tls: &DeviceTls) -> Made {
        Made {
            generation: tls.generation,
            doubts: self.pulse.doubts(),
        }
    }

    fn count(self: &Arc<Self>) -> Option<Counted> {
        let below = |count| (count < IDLE_TUNNELS_PER_DEVICE_MAX).then_some(count + 1);
        self.idle
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, below)
            .ok()?;
        Some(Counted(Arc::clone(self)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.idle.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pool {
    pub(super) fn new(reach: Arc<Reach>) -> Self {
        Self {
            reach,
            state: Mutex::default(),
            warming: AtomicBool::new(false),
        }
    }

    /// Whether this is the pool of that way.
    pub(super) fn reaches(&self, reach: &Arc<Reach>) -> bool {
        Arc::ptr_eq(&self.reach, reach)
    }

    /// An idle tunnel that still stands, or a fresh one.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Taken, DialError> {
        let tls = self.reach.tls()?;
        let taken = self.take_idle(&tls);
        match taken {
            Some(taken) => Ok(taken),
            None => self.fresh().await,
        }
    }

    /// A fresh tunnel, whatever is idle.
    pub(super) async fn fresh(&self) -> Result<Taken, DialError> {
        let tls = self.reach.tls()?;
        let made = self.reach.made(&tls);
        // Boxed: a flow's task would keep the room of a handshake for as long as the flow lasts.
        let tunnel = Box::pin(dial(&self.reach.core, &tls)).await?;
        Ok(Taken {
            tunnel,
            made,
            reused: false,
        })
    }

    /// Whether a tunnel made so may still be used.
    pub(super) fn is_current(&self, made: Made) -> bool {
        let tls = self.reach.credentials.current();
        tls.is_some_and(|tls| self.reach.made(&tls) == made)
    }

    /// The core did not answer on a tunnel of this pool that was idle.
    pub(super) fn lost(&self) {
        self.reach.pulse.lost();
    }

    /// Asks the core on a tunnel of this pool.
    pub(super) fn ping(&self, tunnel: &mut Tunnel) -> Result<Ping, TunnelError> {
        self.reach.pulse.ping(tunnel)
    }

    /// The core did not answer a PING on a tunnel of this pool.
    pub(super) fn unanswered(&self) {
        self.reach.pulse.unanswered();
    }

    /// Keeps a tunnel whose flow has finished; in the place of the oldest when there are too many.
    pub(super) fn keep(&self, tunnel: Tunnel, made: Made) {
        let place = self.reach.count().or_else(|| self.give_up_oldest());
        match place {
            Some(counted) if tunnel.is_quiet() => {
                let since = sys::clock::monotonic();
                self.state().idle.push(Idle {
                    tunnel,
                    made,
                    since,
                    place: counted,
                });
            }
            Some(_) | None => tunnel.close(),
        }
    }

    fn give_up_oldest(&self) -> Option<Counted> {
        let mut state = self.state();
        let oldest = (!state.idle.is_empty()).then(|| state.idle.remove(0))?;
        drop(state);
        oldest.tunnel.close();
        Some(oldest.place)
    }

    fn take_idle(self: &Arc<Self>, tls: &DeviceTls) -> Option<Taken> {
        let mut state = self.state();
        state.last_flow = Some(sys::clock::monotonic());
        let taken = loop {
            let Some(idle) = state.idle.pop() else {
                break None;
            };
            if idle.made == self.reach.made(tls) && idle.tunnel.is_quiet() {
                let Idle { tunnel, made, .. } = idle;
                break Some(Taken {
                    tunnel,
                    made,
                    reused: true,
                });
            }
            idle.tunnel.close();
        };
        let spare_wanted = state.idle.is_empty();
        drop(state);
        if spare_wanted {
            self.warm();
        }
        taken
    }

    /// Makes a spare in the background, one at a time.
    fn warm(self: &Arc<Self>) {
        if self.warming.swap(true, Ordering::AcqRel) {
            return;
        }
        let pool = Arc::clone(self);
        // Owned by the runtime; ends with its one handshake, which has a timeout.
        sys::task::spawn("warm spare", async move {
            match pool.fresh().await {
                Ok(spare) => pool.keep(spare.tunnel, spare.made),
                Err(error) => {
                    tracing::debug!(error = %measure::chain(&error), "no spare tunnel");
                }
            }
            pool.warming.store(false, Ordering::Release);
        });
    }

    /// Closes what is dead or old, and keeps a spare warm for an active device.
    pub(super) fn start_sweeper(self: &Arc<Self>, drain: Watcher) -> JoinHandle<()> {
        let pool = Arc::clone(self);
        sys::task::spawn("pool sweeper", async move {
            let mut tick = tokio::time::interval(POOL_SWEEP_INTERVAL);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = tick.tick() => pool.sweep(),
                    () = drain.draining() => return pool.clear(),
                }
            }
        })
    }

    fn sweep(self: &Arc<Self>) {
        let now = sys::clock::monotonic();
        let tls = self.reach.credentials.current();
        let current = tls.map(|tls| self.reach.made(&tls));
        let mut state = self.state();
        let since_flow = state.last_flow.map(|last| now.duration_since(last));
        let active = since_flow.is_some_and(|age: Duration| age <= WARM_SPARE_AGE_MAX);
        let mut kept: Vec<Idle> = Vec::with_capacity(state.idle.len());
        // From the youngest: it is the one that stays as the spare.
        for idle in std::mem::take(&mut state.idle).into_iter().rev() {
            let young = now.duration_since(idle.since) <= IDLE_TUNNEL_AGE_MAX;
            let is_spare = active && kept.is_empty();
            let usable = Some(idle.made) == current && idle.tunnel.is_quiet();
            if usable && (young || is_spare) {
                kept.push(idle);
            } else {
                idle.tunnel.close();
            }
        }
        // The oldest is asked: it is the one that waits longest for its next flow.
        let asked = match kept.last() {
            Some(_) if self.reach.pulse.take_turn(now) => kept.pop(),
            Some(_) | None => None,
        };
        kept.reverse();
        let spare_wanted = active && kept.is_empty() && asked.is_none();
        state.idle = kept;
        drop(state);
        if let Some(idle) = asked {
            self.ask(idle);
        }
        if spare_wanted {
            self.warm();
        }
    }

    /// Asks the core on an idle tunnel, which then goes on being idle.
    fn ask(self: &Arc<Self>, idle: Idle) {
        let pool = Arc::clone(self);
        // Owned by the runtime; ends with the answer, which has a timeout.
        sys::task::spawn("ping", async move {
            let Idle {
                tunnel,
                made,
                since,
                place,
            } = idle;
            if let Some(tunnel) = pool.reach.pulse.ask(tunnel).await {
                let idle = Idle {
                    tunnel,
                    made,
                    since,
                    place,
                };
                // In front: the youngest stays the next one to be used.
                pool.state().idle.insert(0, idle);
            }
        });
    }

    fn clear(&self) {
        for idle in std::mem::take(&mut self.state().idle) {
            idle.tunnel.close();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
