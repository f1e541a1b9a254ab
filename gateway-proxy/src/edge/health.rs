//! Whether a reverse route can be on offer. What is in the way is told once, with what to do about
//! it, and tried again less and less often. Kept by [`super::reverse`], over all data threads.

use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::dial::DialError;
use crate::config::ReverseRoute;
use crate::limits::{OFFER_RETRY_INTERVAL, OFFER_RETRY_MAX};
use crate::measure;
use crate::stack::Refusal;
use crate::tunnel::TunnelError;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    pause: Duration,
    /// When it is tried again. What fails before that failed together.
    again: Option<Instant>,
}

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    NoCertificate,
    Unreachable,
    Strange,
    NoListener,
    Enough,
    Silent,
    Ended,
}

impl Health {
    /// A tunnel is on offer, and the core keeps it.
    pub(super) fn works(&self, route: &ReverseRoute) {
        let before = std::mem::take(&mut *self.state());
        if before.trouble.is_some() {
            tracing::info!(device = %route.device, service = %route.service,
                "a reverse route works");
        }
    }

    /// There is no tunnel to offer. Answers how long to wait before the next try.
    pub(super) fn not_dialled(&self, route: &ReverseRoute, error: &DialError) -> Duration {
        self.fails(route, Trouble::of_dial(error), &measure::chain(error))
    }

    /// The core does not keep a tunnel on offer. Answers how long to wait before the next try.
    pub(super) fn not_kept(&self, route: &ReverseRoute, error: &TunnelError) -> Duration {
        self.fails(route, Trouble::of_tunnel(error), &measure::chain(error))
    }

    fn fails(&self, route: &ReverseRoute, trouble: Trouble, error: &str) -> Duration {
        let (is_news, pause) = self.state().fails(trouble, sys::clock::monotonic());
        if is_news {
            let (what, remedy) = trouble.told();
            tracing::warn!(device = %route.device, service = %route.service, core = %route.core,
                error, "a reverse route does not work: {what}; {remedy}");
        }
        pause
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Answers whether that is news, and how long to wait.
    fn fails(&mut self, trouble: Trouble, now: Instant) -> (bool, Duration) {
        let is_news = self.trouble.replace(trouble) != Some(trouble);
        if trouble == Trouble::NoCertificate {
            // Looking for one costs nothing.
            return (is_news, OFFER_RETRY_INTERVAL);
        }
        match self.again {
            Some(again) if now < again => (is_news, again.duration_since(now)),
            Some(_) | None => {
                self.pause = (self.pause * 2).clamp(OFFER_RETRY_INTERVAL, OFFER_RETRY_MAX);
                self.again = Some(now + self.pause);
                (is_news, self.pause)
            }
        }
    }
}

impl Trouble {
    fn of_dial(error: &DialError) -> Self {
        match error {
            DialError::NoCertificate => Self::NoCertificate,
            DialError::Connect(_) | DialError::TooSlow(_) => Self::Unreachable,
            DialError::Handshake(_) => Self::Strange,
        }
    }

    fn of_tunnel(error: &TunnelError) -> Self {
        match error {
            TunnelError::Aborted(reason) => match Refusal::named(reason) {
                Some(Refusal::ServiceUnknown) => Self::NoListener,
                Some(Refusal::Overloaded) => Self::Enough,
                Some(_) | None => Self::Ended,
            },
            TunnelError::Connection(error) if error.kind() == ErrorKind::TimedOut => Self::Silent,
            TunnelError::Tls(_) => Self::Strange,
            TunnelError::Connection(_)
            | TunnelError::Ended
            | TunnelError::Oversized
            | TunnelError::Frame(_)
            | TunnelError::Misbehaved(_) => Self::Ended,
        }
    }

    /// What the matter is, and what to do.
    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::NoCertificate => (
                "the device has no certificate yet",
                "see that it is enrolled at this edge, and that the KMS is reached",
            ),
            Self::Unreachable => (
                "its core is not reached",
                "start it, or correct `core` of the reverse_route",
            ),
            Self::Strange => (
                "its core is another one, or does not take the device's certificate",
                "compare `core_id` of the reverse_route with the core's id, and the clocks",
            ),
            Self::NoListener => (
                "its core has no reverse_listener of this device and service",
                "add one there, or correct `service` of the reverse_route",
            ),
            Self::Enough => (
                "its core has tunnels enough for it",
                "leave it out at edges that need not have it",
            ),
            Self::Silent => ("its core does not answer", "look at the network between"),
            Self::Ended => (
                "its core ends the tunnels that are offered",
                "look at the core's log",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_a_change_and_tried_less_and_less_often() {
        let mut state = State::default();
        let mut now = sys::clock::monotonic();
        let mut pauses = Vec::new();
        for round in 0..8 {
            let (is_news, pause) = state.fails(Trouble::NoListener, now);
            assert_eq!(is_news, round == 0);
            // The route's other tunnel fails a little later, and is tried again with this one.
            let together = state.fails(Trouble::NoListener, now + pause / 2);
            assert_eq!(together, (false, pause - pause / 2));
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(state.fails(Trouble::Unreachable, now).0);
    }

    #[test]
    fn a_route_that_works_begins_anew() {
        let health = Health::default();
        let route = ReverseRoute {
            device: "ct-1".parse().unwrap(),
            protocol: "dicom".parse().unwrap(),
            target: "127.0.0.1:1".parse().unwrap(),
            core: "127.0.0.1:2".parse().unwrap(),
            core_id: "core".parse().unwrap(),
            service: "back".parse().unwrap(),
        };
        let refused = TunnelError::Aborted("SERVICE_UNKNOWN".into());
        assert_eq!(health.not_kept(&route, &refused), OFFER_RETRY_INTERVAL);
        assert_eq!(health.state().trouble, Some(Trouble::NoListener));
        health.works(&route);
        let now = sys::clock::monotonic();
        let after = health.state().fails(Trouble::NoListener, now);
        assert_eq!(after, (true, OFFER_RETRY_INTERVAL));
    }

    #[test]
    fn a_certificate_is_looked_for_all_the_time() {
        let (mut state, now) = (State::default(), sys::clock::monotonic());
        for round in 0..100 {
            let told = state.fails(Trouble::NoCertificate, now);
            assert_eq!(told, (round == 0, OFFER_RETRY_INTERVAL));
        }
    }
}
