//! The read barrier: proof that everything answered before a request began is applied here.
//!
//! Batched: one task runs rounds; a round confirms the leader once, for all requests that arrived
//! before it started. A request that arrives during a round waits for the next, because the round
//! under way may have been confirmed before the request began. A round that many wait for lets more
//! gather first: it costs every member the same for one request as for a hundred.

use openraft::ReadPolicy;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{LinearizableReadError, RaftError};
use openraft::raft::linearizable_read::LinearizerOption;
use tokio::sync::{mpsc, oneshot};
use ward_proto::peer::v1::ReadIndexRequest;

use super::BarrierError;
use super::limits::{
    BARRIER_ATTEMPT_TIMEOUT, BARRIER_CROWD, BARRIER_GATHER, BARRIER_QUEUE_MAX, BARRIER_RETRY,
    BARRIER_ROUND_TIMEOUT,
};
use crate::raft::network::{Lane, Peers, request_for};
use crate::raft::{RaftHandle, TypeConfig};
use crate::state::NodeId;

/// Made by [`super::Replica::read_barrier`] alone; who serves a linearizable read demands one.
#[derive(Clone, Copy, Debug)]
pub struct ReadBarrier {
    index: u64,
}

impl ReadBarrier {
    pub(super) fn passed(index: u64) -> Self {
        Self { index }
    }

    /// This node had applied at least this much when the barrier was passed.
    pub fn index(self) -> u64 {
        self.index
    }
}

type Waiting = oneshot::Sender<Result<u64, BarrierError>>;

/// The way to the rounds.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    queue: mpsc::Sender<Waiting>,
}

impl Rounds {
    /// The way, and the task that runs the rounds; it ends when the last handle is gone.
    pub(super) fn new(confirm: Confirm) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, waiting) = mpsc::channel(BARRIER_QUEUE_MAX);
        (
            Self { queue },
            run(
                async || tokio::time::sleep(BARRIER_GATHER).await,
                async move || confirm.round().await,
                waiting,
            ),
        )
    }

    /// The index that a round, started from now on, confirms.
    pub(super) async fn read_index(&self) -> Result<u64, BarrierError> {
        let (answer, waiting) = oneshot::channel();
        let queued = self.queue.send(answer).await;
        queued.map_err(|_| BarrierError::Stopped)?;
        waiting.await.map_err(|_| BarrierError::Stopped)?
    }
}

/// Answers who waits by one round after the other; `gather` lets time pass for more to come.
async fn run(
    mut gather: impl AsyncFnMut(),
    mut next_round: impl AsyncFnMut() -> Result<u64, BarrierError>,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let mut round = Vec::new();
    // Everything taken here is in the queue, so it arrived, before the round starts.
    while queue.recv_many(&mut round, BARRIER_QUEUE_MAX).await > 0 {
        if round.len() >= BARRIER_CROWD {
            gather().await;
            while round.len() < BARRIER_QUEUE_MAX
                && let Ok(more) = queue.try_recv()
            {
                round.push(more);
            }
        }
        let confirmed = next_round().await;
        metrics::counter!("ward_barrier_rounds_total").increment(1);
        metrics::counter!("ward_barrier_requests_total").increment(round.len() as u64);
        for waiting in round.drain(..) {
            // Who gave up meanwhile does not listen.
            waiting.send(confirmed).ok();
        }
    }
}

/// Confirms who leads, once.
#[derive(Debug)]
pub(super) struct Confirm {
    pub(super) own_id: NodeId,
    pub(super) raft: RaftHandle,
    pub(super) peers: std::sync::Arc<Peers>,
}

impl Confirm {
    /// Tries until somebody is confirmed or the time is up: who asks during an election is
    /// answered after it.
    async fn round(&self) -> Result<u64, BarrierError> {
        let deadline = sys::clock::monotonic() + BARRIER_ROUND_TIMEOUT;
        loop {
            match self.attempt().await {
                Err(BarrierError::NoLeader | BarrierError::NoQuorum)
                    if sys::clock::monotonic() < deadline => {}
                confirmed => return confirmed,
            }
            tokio::time::sleep(BARRIER_RETRY).await;
        }
    }

    async fn attempt(&self) -> Result<u64, BarrierError> {
        match self.raft.current_leader().await {
            None => Err(BarrierError::NoLeader),
            Some(leader) if leader == self.own_id => self.here().await,
            Some(leader) => self.at(leader).await,
        }
    }

    /// This node leads: a round of heartbeats confirms it.
    async fn here(&self) -> Result<u64, BarrierError> {
        let option = LinearizerOption::from(ReadPolicy::ReadIndex)
            .with_wait_timeout(BARRIER_ATTEMPT_TIMEOUT);
        match self.raft.get_read_linearizer(option).await {
            Ok(linearizer) => Ok(linearizer.read_log_id().index()),
            Err(error) => Err(explain(&error)),
        }
    }

    /// Another node leads: it runs a round of its own, started after this one.
    async fn at(&self, leader: NodeId) -> Result<u64, BarrierError> {
        let mut client = self.peers.client(leader, Lane::Control);
        let asking = client.read_index(request_for(leader, ReadIndexRequest {}));
        // Shorter than the round: a leader that fell silent leaves time to ask the next one.
        let asking = tokio::time::timeout(BARRIER_ATTEMPT_TIMEOUT, asking);
        tokio::select! {
            () = self.leader_is_not(leader) => Err(BarrierError::NoLeader),
            asked = asking => match asked {
                Ok(Ok(answer)) => Ok(answer.get_ref().index),
                Ok(Err(_)) | Err(_) => Err(BarrierError::NoQuorum),
            },
        }
    }

    /// Waits until another leader, or none, is known.
    async fn leader_is_not(&self, leader: NodeId) {
        let mut metrics = self.raft.metrics();
        while metrics.borrow_watched().current_leader == Some(leader) {
            if metrics.changed().await.is_err() {
                return;
            }
        }
    }
}

fn explain(error: &RaftError<TypeConfig, LinearizableReadError<TypeConfig>>) -> BarrierError {
    match error {
        RaftError::APIError(LinearizableReadError::ForwardToLeader(_)) => BarrierError::NoLeader,
        RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => BarrierError::NoQuorum,
        RaftError::Fatal(_) => BarrierError::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Mutation: whoever arrived by the end of a round is answered by it.
    #[tokio::test]
    async fn who_arrives_during_a_round_waits_for_the_next() {
        let (begun, mut rounds_begun) = mpsc::channel(1);
        let (confirm, mut confirmed) = mpsc::channel(1);
        let (queue, waiting) = mpsc::channel(BARRIER_QUEUE_MAX);
        let rounds = Rounds { queue };
        let round = async move || {
            begun.send(()).await.unwrap();
            Ok(confirmed.recv().await.unwrap())
        };
        let running = sys::task::spawn("rounds", run(async || {}, round, waiting));
        let ask = || {
            let rounds = rounds.clone();
            sys::task::spawn("asking", async move { rounds.read_index().await })
        };
        let first = ask();
        rounds_begun.recv().await.unwrap();
        // Arrived once it is queued: the first round began before.
        let late = ask();
        while rounds.queue.capacity() == BARRIER_QUEUE_MAX {
            tokio::task::yield_now().await;
        }
        confirm.send(7).await.unwrap();
        assert_eq!(first.await.unwrap(), Ok(7));
        rounds_begun.recv().await.unwrap();
        confirm.send(8).await.unwrap();
        assert_eq!(late.await.unwrap(), Ok(8));
        drop(rounds);
        running.await.unwrap();
    }

    // Mutation: no gathering answers who comes behind a crowd by a round of its own.
    #[tokio::test]
    async fn a_crowd_waits_for_those_right_behind_it_and_one_alone_for_nobody() {
        let (queue, waiting) = mpsc::channel(BARRIER_QUEUE_MAX);
        let rounds = Rounds {
            queue: queue.clone(),
        };
        let (behind, mut answered) = mpsc::channel(1);
        // Whoever is let gather finds one more.
        let gather = async move || {
            let (answer, waiting) = oneshot::channel();
            queue.send(answer).await.unwrap();
            behind.send(waiting).await.unwrap();
        };
        let mut number = 0;
        let round = async move || {
            number += 1;
            Ok(number)
        };
        let running = sys::task::spawn("rounds", run(gather, round, waiting));
        assert_eq!(rounds.read_index().await, Ok(1));
        assert!(answered.try_recv().is_err(), "nobody was waited for");
        let crowd = (0..BARRIER_CROWD).map(|_| rounds.read_index());
        let crowd = futures::future::join_all(crowd).await;
        assert!(crowd.iter().all(|answer| *answer == Ok(2)), "{crowd:?}");
        let behind = answered.try_recv().unwrap();
        assert_eq!(behind.await.unwrap(), Ok(2));
        running.abort();
    }
}
