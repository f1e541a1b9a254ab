//! The call loop: asks node after node until one answers, a refusal is final, or time is up.
//!
//! Everything sent through here may be sent twice: reads change nothing, and a write carries one
//! idempotency key for all its attempts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::Inner;
use super::backoff::Backoff;
use super::nodes::{Route, Target};
use super::status::{Failure, Remedy};
use crate::error::Error;
use crate::identity::Identity;
use crate::limits::{ATTEMPT_MAX, LEADER_HOPS_MAX};
use crate::reason::Reason;

/// One attempt: where to, and for how long.
pub(super) struct Attempt {
    pub(super) channel: Channel,
    /// Names the connection among all of this process.
    pub(super) connection: u64,
    time: Duration,
}

impl Attempt {
    /// Wraps a message; the node is told how long its answer is waited for.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.time);
        request
    }
}

impl Inner {
    /// Sends a request until it is answered. `send` makes one attempt; it is called again for
    /// each. A caller that comes back after its certificate's time renews that first.
    pub(super) async fn call<T, F, Sent>(&self, route: Route, send: F) -> Result<T, Error>
    where
        F: Fn(Attempt) -> Sent,
        Sent: Future<Output = Result<Response<T>, Status>>,
    {
        let end = sys::clock::monotonic() + self.deadline;
        // A certificate that another process has left in the folder may be over as well.
        for _ in 0..RENEWALS_PER_CALL {
            let began_as = self.nodes.identity();
            match self.call_until(route, end, &send).await {
                Err(refused) if refused.reason() == Reason::CertificateExpired => {
                    self.renew_after(refused, &began_as, end).await?;
                }
                settled => return settled,
            }
        }
        self.call_until(route, end, &send).await
    }

    /// Renews this client's certificate where that is what was refused.
    pub(super) async fn renew_after(
        &self,
        refused: Error,
        began_as: &Arc<Identity>,
        end: Instant,
    ) -> Result<(), Error> {
        let present = self.nodes.identity();
        // One that was replaced before is not why: then it is the node's certificate.
        let is_why = |expired: &Arc<Identity>| {
            self.may_renew() && (Arc::ptr_eq(expired, began_as) || Arc::ptr_eq(expired, &present))
        };
        let Some(with) = self.nodes.last_expired().filter(is_why) else {
            return Err(refused);
        };
        let Err(error) = self.renew_unless_replaced(&with, end).await else {
            return Ok(());
        };
        if self.nodes.identity().certificate() != with.certificate() {
            tracing::warn!(reason = %error.reason(), "a renewed certificate is not kept: {error}");
            return Ok(());
        }
        // Who was replaced must be told so; that there was no time for it explains nothing.
        Err(if error.reason().may_pass() {
            refused
        } else {
            error
        })
    }

    /// As [`Self::call`], with the certificate as it is.
    pub(super) async fn call_until<T, F, Sent>(
        &self,
        route: Route,
        end: Instant,
        send: &F,
    ) -> Result<T, Error>
    where
        F: Fn(Attempt) -> Sent,
        Sent: Future<Output = Result<Response<T>, Status>>,
    {
        let mut backoff = Backoff::default();
        let mut before = None;
        loop {
            let failure = match self.round(route, end, send).await {
                Ok(answer) => {
                    self.refresh_when_due();
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let reloaded = self.reload().await;
            match failure.remedy {
                Remedy::None => return Err(failure.error),
                // Every node said that waiting does not help.
                Remedy::OtherNodeOnly if !reloaded => return Err(failure.error),
                Remedy::OtherNodeOnly | Remedy::Elsewhere | Remedy::Leader(_) => {}
            }
            let pause = backoff.next();
            if left(end) <= pause {
                return Err(cut_short(before, failure).error);
            }
            before = Some(failure);
            sleep(pause).await;
        }
    }

    /// Asks each node once; follows the leader's address where one is told.
    async fn round<T, F, Sent>(&self, route: Route, end: Instant, send: &F) -> Result<T, Failure>
    where
        F: Fn(Attempt) -> Sent,
        Sent: Future<Output = Result<Response<T>, Status>>,
    {
        // The next one to try is last.
        let mut targets = self.nodes.targets(route);
        targets.reverse();
        let mut worst = self.no_target();
        let mut hops_left = LEADER_HOPS_MAX;
        while let Some(target) = targets.pop() {
            let failure = match self.attempt(&target, end, send).await {
                Ok(answer) => {
                    self.nodes.succeeded(&target, route);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            match &failure.remedy {
                Remedy::None => return Err(failure),
                Remedy::Leader(address) if self.may_follow(route) && hops_left > 0 => {
                    hops_left -= 1;
                    let leader = self.nodes.target_at(address);
                    targets.retain(|other| other.address != leader.address);
                    targets.push(leader);
                }
                Remedy::Leader(_) => {}
                Remedy::Elsewhere | Remedy::OtherNodeOnly => {
                    self.nodes
                        .failed(&target, blames_connection(failure.error.reason()));
                }
            }
            let was_named =
                matches!(&worst.remedy, Remedy::Leader(address) if *address == target.address);
            worst = if was_named {
                more_telling(worst, silent_leader(failure, &target.address))
            } else {
                more_telling(worst, failure)
            };
            if left(end).is_zero() {
                break;
            }
        }
        Err(worst)
    }

    async fn attempt<T, F, Sent>(
        &self,
        target: &Target,
        end: Instant,
        send: &F,
    ) -> Result<T, Failure>
    where
        F: Fn(Attempt) -> Sent,
        Sent: Future<Output = Result<Response<T>, Status>>,
    {
        let time = if self.nodes.is_bound() {
            left(end)
        } else {
            left(end).min(ATTEMPT_MAX)
        };
        let node = self.nodes.channel(target).map_err(final_failure)?;
        let sent = send(Attempt {
            channel: node.channel.clone(),
            connection: node.number,
            time,
        });
        match timeout(time, sent).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.nodes.read(&status, target, &node)),
            Err(_) => {
                let message = format!(
                    "{} did not answer within {time:.1?}; is it overloaded or cut off?",
                    target.address
                );
                Err(Failure::of(Reason::Deadline, message, Remedy::Elsewhere))
            }
        }
    }

    /// A client bound to one node leaves it only for what that node may not do itself.
    fn may_follow(&self, route: Route) -> bool {
        !self.nodes.is_bound() || route == Route::Leader
    }

    fn no_target(&self) -> Failure {
        let message = match self.nodes.only() {
            Some(node) => format!("{node} is not in endpoints.toml; choose another node"),
            None => "no node is known; write endpoints.toml or join again".to_owned(),
        };
        Failure::of(Reason::Unavailable, message, Remedy::OtherNodeOnly)
    }
}

/// What is told when the node that another names as the leader does not answer: that only the
/// leader would do it helps nobody then.
fn silent_leader(failure: Failure, leader: &str) -> Failure {
    if !matches!(
        failure.error.reason(),
        Reason::Unavailable | Reason::Deadline
    ) {
        return failure;
    }
    let message = format!(
        "the leader last known, {leader}, does not answer and no other was elected; \
         see that most nodes run and reach each other"
    );
    let error = Error::new(Reason::NoLeader, message).with_source(failure.error);
    Failure::from_error(error, Remedy::Elsewhere)
}

/// What is told when the time is over. A last try that was given too little time for an answer says
/// only that; what the nodes said in the round before is why there was no answer so far.
fn cut_short(before: Option<Failure>, last: Failure) -> Failure {
    match before {
        Some(before) if last.error.reason() == Reason::Deadline => more_telling(before, last),
        Some(_) | None => last,
    }
}

/// Keeps, of two failures, the one that tells more: a node's own words over a node that was not
/// reached, and a reason to wait over one that waiting does not mend. A quota that is used up where
/// it could be asked for is the answer: nodes that are gone do not give theirs back.
fn more_telling(one: Failure, other: Failure) -> Failure {
    let rank = |failure: &Failure| match (&failure.remedy, failure.error.reason()) {
        (_, Reason::Quota) => 3,
        (Remedy::OtherNodeOnly, _) => 0,
        (_, Reason::Unavailable | Reason::Deadline) => 1,
        _ => 2,
    };
    if rank(&other) >= rank(&one) {
        other
    } else {
        one
    }
}

fn blames_connection(reason: Reason) -> bool {
    [
        Reason::Unavailable,
        Reason::Deadline,
        Reason::CertificateExpired,
        Reason::CertificateForeign,
        Reason::Unauthenticated,
    ]
    .contains(&reason)
}

fn final_failure(error: Error) -> Failure {
    Failure::from_error(error, Remedy::None)
}

pub(super) fn left(end: Instant) -> Duration {
    end.saturating_duration_since(sys::clock::monotonic())
}

/// How often one call renews the certificate before it gives up.
const RENEWALS_PER_CALL: usize = 2;
