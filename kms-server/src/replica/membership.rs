//! Changes of the membership: who joined becomes a learner, a learner that keeps up steadily
//! becomes a voter, and who moved is recorded where it is now. One change at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use openraft::alias::StoredMembershipOf;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, RaftMetrics};
use tokio::sync::Mutex;
use ward_proto::peer::v1::AnnounceRequest;

use super::candidacy::Candidacy;
use super::limits::{ANNOUNCE_TIMEOUT, FOUNDING_TIME, MEMBERSHIP_INTERVAL, MEMBERSHIP_TIMEOUT};
use super::removal::{answers, can_spare, is_removed};
use super::steady::{Progress, Steady};
use super::transfer::longest_logs;
use crate::raft::network::{Lane, Peers, request_for};
use crate::raft::{Core, Member, RaftHandle, TypeConfig};
use crate::state::{Addresses, NodeId};

type Change = ChangeMembers<NodeId, Member>;
type ChangeError = RaftError<TypeConfig, ClientWriteError<TypeConfig>>;

/// Keeps the membership as it should be: on the leader for all, on every node for its own address.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) own_id: NodeId,
    pub(super) raft: RaftHandle,
    pub(super) core: Arc<Core>,
    pub(super) peers: Arc<Peers>,
    pub(super) candidacy: Candidacy,
    /// Where this node is reached now.
    own: std::sync::Mutex<Addresses>,
    /// For how long a learner keeps up before it votes.
    pub(super) steady_time: Duration,
    /// Since when each member keeps up, while this node leads.
    steady: std::sync::Mutex<Steady>,
    /// When this node began the cluster, if it did so in this life.
    founded: OnceLock<Instant>,
    /// Held over every change: two at once may leave a joint configuration behind.
    changing: Mutex<()>,
}

impl Membership {
    pub(super) fn new(
        own_id: NodeId,
        own: Addresses,
        raft: RaftHandle,
        core: Arc<Core>,
        peers: Arc<Peers>,
        candidacy: Candidacy,
        steady_time: Duration,
    ) -> Self {
        Self {
            own_id,
            raft,
            core,
            peers,
            candidacy,
            own: std::sync::Mutex::new(own),
            steady_time,
            steady: std::sync::Mutex::default(),
            founded: OnceLock::new(),
            changing: Mutex::new(()),
        }
    }

    /// Says that this node is reached elsewhere now.
    pub(super) fn moved(&self, addresses: Addresses) {
        *self.own_addresses() = addresses;
    }

    /// Says that this node has begun the cluster just now.
    pub(super) fn founded(&self) {
        self.founded.get_or_init(sys::clock::monotonic);
    }

    /// For how long a member has kept up with this leader; none when it does not.
    pub(super) fn steady_for(&self, node: NodeId) -> Option<Duration> {
        self.steady().of(node, sys::clock::monotonic())
    }

    /// For how long a learner has to keep up now before it votes.
    pub(super) fn steady_needed(&self) -> Duration {
        let founded = self.founded.get();
        match founded.is_some_and(|at| at.elapsed() < FOUNDING_TIME) {
            true => Duration::ZERO,
            false => self.steady_time,
        }
    }

    /// Runs until it is aborted.
    pub(super) async fn run(self: Arc<Self>) {
        let mut metrics = self.raft.metrics();
        loop {
            // A change of the metrics, or a while: records and replication move without one too.
            match tokio::time::timeout(MEMBERSHIP_INTERVAL, metrics.changed()).await {
                Ok(Err(_)) => return,
                Ok(Ok(())) => tokio::time::sleep(SETTLE).await,
                Err(_) => {}
            }
            if let Err(error) = self.step().await {
                tracing::warn!(%error, "the membership could not be changed; tried again soon");
            }
        }
    }

    /// Records the addresses of a member. Only the leader can.
    pub(super) async fn record(
        &self,
        node: NodeId,
        addresses: Addresses,
    ) -> Result<(), ChangeError> {
        let membership = self
            .raft
            .metrics()
            .borrow_watched()
            .membership_config
            .clone();
        let Some(known) = membership.membership().get_node(&node) else {
            return Ok(());
        };
        if known.addresses == addresses {
            return Ok(());
        }
        let public_key = known.public_key.clone();
        let member = Member {
            addresses,
            public_key,
        };
        tracing::info!(%node, peer = %member.addresses.peer, "a member is reached elsewhere");
        self.change(Change::SetNodes(BTreeMap::from([(node, member)])))
            .await
    }

    async fn step(&self) -> Result<(), ChangeError> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let membership = &metrics.membership_config;
        for (node, member) in membership.membership().nodes() {
            self.peers.note(*node, member);
        }
        if metrics.current_leader == Some(self.own_id) {
            self.look(&metrics);
            return self.lead(&metrics).await;
        }
        // Whoever leads next looks for itself.
        *self.steady() = Steady::default();
        self.announce(membership).await;
        Ok(())
    }

    async fn lead(&self, metrics: &RaftMetrics<TypeConfig>) -> Result<(), ChangeError> {
        if self.candidacy.is_sealed() {
            // It leads until another can, and changes nothing meanwhile.
            return Ok(());
        }
        let membership = &metrics.membership_config;
        let own = self.own_addresses().clone();
        self.record(self.own_id, own).await?;
        if membership.membership().get_joint_config().len() > 1 {
            // A change that was cut off half-way is completed.
            return self.change(Change::AddVoterIds(BTreeSet::new())).await;
        }
        if let Some(node) = self.next_removed(metrics) {
            return self.let_go(metrics, node).await;
        }
        if let Some((node, member)) = self.next_learner(membership) {
            tracing::info!(%node, "a node joins as learner");
            let nodes = BTreeMap::from([(node, member)]);
            return self.change(Change::AddNodes(nodes)).await;
        }
        if let Some(node) = self.next_voter(membership) {
            tracing::info!(%node, "a learner keeps up and becomes a voter");
            let nodes = BTreeSet::from([node]);
            return self.change(Change::AddVoterIds(nodes)).await;
        }
        Ok(())
    }

    /// A member that was removed from the cluster, is one of Raft's still, and can be spared now.
    /// One that cannot be holds nothing else up: what does, may be what it waits for.
    fn next_removed(&self, metrics: &RaftMetrics<TypeConfig>) -> Option<NodeId> {
        let index = self.core.cell.index();
        let members = metrics.membership_config.membership().nodes();
        let mut removed = members
            .map(|(node, _)| *node)
            .filter(|node| is_removed(&index, *node));
        removed.find(|node| {
            let spared = can_spare(metrics, self.own_id, *node);
            if let Err(error) = &spared {
                tracing::warn!(%node, %error, "a removed member stays in Raft for now");
            }
            spared.is_ok()
        })
    }

    /// Takes a member out of Raft.
    async fn let_go(
        &self,
        metrics: &RaftMetrics<TypeConfig>,
        node: NodeId,
    ) -> Result<(), ChangeError> {
        if node == self.own_id {
            // Elected after it was removed: another one has to do it.
            let heir = longest_logs(metrics, self.own_id).first().copied();
            if let Some(heir) = heir
                && let Err(error) = self.raft.trigger().transfer_leader(heir).await
            {
                tracing::warn!(%error, "a removed leader cannot hand over");
            }
            return Ok(());
        }
        tracing::info!(%node, "a removed member leaves");
        let nodes = BTreeSet::from([node]);
        let votes = membership_votes(metrics, node);
        let change = match votes {
            true => Change::RemoveVoters(nodes),
            false => Change::RemoveNodes(nodes),
        };
        self.change_to(change, Retain::Nobody).await
    }

    /// A node that joined and is not a member yet.
    fn next_learner(
        &self,
        membership: &StoredMembershipOf<TypeConfig>,
    ) -> Option<(NodeId, Member)> {
        let index = self.core.cell.index();
        let joined = index
            .nodes()
            .find(|node| membership.membership().get_node(&node.node_id).is_none())?;
        let member = Member {
            addresses: joined.addresses.clone(),
            public_key: joined.public_key.clone(),
        };
        Some((joined.node_id, member))
    }

    /// A learner that has kept up with this leader for long enough.
    fn next_voter(&self, membership: &StoredMembershipOf<TypeConfig>) -> Option<NodeId> {
        let needed = self.steady_needed();
        let mut learners = membership.membership().learner_ids();
        learners.find(|learner| {
            self.steady_for(*learner)
                .is_some_and(|steady| steady >= needed)
        })
    }

    /// Notes who keeps up.
    fn look(&self, metrics: &RaftMetrics<TypeConfig>) {
        let Some(replication) = &metrics.replication else {
            return;
        };
        let members = replication.iter().map(|(node, matched)| Progress {
            node: *node,
            answers: answers(metrics, *node),
            matched: matched.as_ref().map(|matched| matched.index),
        });
        let members: Vec<_> = members.collect();
        let last = metrics.last_log_index.unwrap_or_default();
        self.steady().look(sys::clock::monotonic(), last, &members);
    }

    fn steady(&self) -> std::sync::MutexGuard<'_, Steady> {
        // What one look found replaces what the last one did.
        self.steady
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tells the others where this node is, if the membership says otherwise. Not the leader
    /// alone: there may be none before they reach this node.
    async fn announce(&self, membership: &StoredMembershipOf<TypeConfig>) {
        let own = self.own_addresses().clone();
        let recorded = membership.membership().get_node(&self.own_id);
        if recorded.is_none_or(|member| member.addresses == own) {
            return;
        }
        let others = membership.membership().nodes().map(|(node, _)| *node);
        let telling = others
            .filter(|node| *node != self.own_id)
            .map(|node| self.tell(node, &own));
        futures::future::join_all(telling).await;
    }

    async fn tell(&self, node: NodeId, own: &Addresses) {
        let mut client = self.peers.client(node, Lane::Control);
        let request = AnnounceRequest {
            api_address: own.api.clone(),
            peer_address: own.peer.clone(),
            join_address: own.join.clone(),
        };
        let announcing = client.announce(request_for(node, request));
        match tokio::time::timeout(ANNOUNCE_TIMEOUT, announcing).await {
            Ok(Ok(_)) => {}
            Ok(Err(status)) => {
                let code = status.code();
                tracing::debug!(%node, ?code, "the announcement did not pass");
            }
            Err(_) => tracing::debug!(%node, "the announcement took too long"),
        }
    }

    /// Whoever loses its vote stays a learner: nobody is forgotten by accident.
    async fn change(&self, change: Change) -> Result<(), ChangeError> {
        self.change_to(change, Retain::Everybody).await
    }

    async fn change_to(&self, change: Change, retain: Retain) -> Result<(), ChangeError> {
        let _changing = self.changing.lock().await;
        let retained = retain == Retain::Everybody;
        let changing = self.raft.change_membership(change, retained);
        match tokio::time::timeout(MEMBERSHIP_TIMEOUT, changing).await {
            Ok(changed) => changed.map(drop),
            // Without a quorum it waits in the log; the next step sees what became of it.
            Err(_) => Ok(()),
        }
    }

    fn own_addresses(&self) -> std::sync::MutexGuard<'_, Addresses> {
        // Replaced in one step.
        self.own
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Who stays a learner after a change took its vote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retain {
    Everybody,
    Nobody,
}

fn membership_votes(metrics: &RaftMetrics<TypeConfig>, node: NodeId) -> bool {
    let mut voters = metrics.membership_config.membership().voter_ids();
    voters.any(|voter| voter == node)
}

/// Metrics change with every entry: after one change, wait so long before looking.
const SETTLE: Duration = Duration::from_millis(20);
