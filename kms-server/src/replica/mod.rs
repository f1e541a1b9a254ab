//! The replica: this node's copy of the cluster's state, and the way to change it.
//!
//! The API proposes, reads, waits and watches here and knows nothing of Raft. `open` brings up
//! what is on disk, `propose` writes, `barrier` makes reads linearizable, `membership` keeps the
//! members as they should be, `transfer` lets another lead, `stop` ends it.

mod barrier;
mod candidacy;
mod change;
mod config;
mod contact;
mod disk;
mod error;
mod format;
pub mod limits;
mod membership;
mod open;
mod peers;
mod propose;
mod removal;
mod status;
mod steady;
mod stop;
#[cfg(test)]
mod tests;
mod transfer;
mod vigil;

use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use self::barrier::{Confirm, Rounds};
use self::candidacy::Candidacy;
use self::disk::Disk;
use self::membership::Membership;
use self::open::OnDisk;
use self::vigil::{Vigil, Watch};
use crate::raft::network::{Network, Peers};
use crate::raft::{Core, Floor, LogShared, Member, RaftHandle, StateMachine, Torn};
use crate::state::{Addresses, Index, NodeId};

pub use barrier::ReadBarrier;
pub use change::{Change, Event};
pub use config::ReplicaConfig;
pub use error::{
    BarrierError, OpenError, ProposeError, RemovalError, StopError, TransferError, WaitError,
};
pub use propose::Applied;
pub use status::{MemberStatus, ReplicaRole, Status};

/// A handle to this node's replica; clones are cheap and the same replica.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
}

struct Inner {
    node_id: NodeId,
    member: Member,
    raft: RaftHandle,
    core: Arc<Core>,
    peers: Arc<Peers>,
    rounds: Rounds,
    membership: Arc<Membership>,
    disk: Disk,
    floor: Floor,
    /// Weak, so that the log closes with Raft and not with the last handle.
    log: Weak<LogShared>,
    vigil: Vigil,
    candidacy: Candidacy,
    /// Held over every removal of a member.
    removing: tokio::sync::Mutex<()>,
    /// Held while this leader hands over.
    handing_over: tokio::sync::Mutex<()>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("node_id", &self.inner.node_id)
            .finish_non_exhaustive()
    }
}

impl Replica {
    /// Opens the replica in its directory and takes part in Raft from then on.
    ///
    /// # Errors
    ///
    /// When the directory is newer, damaged, or its log was shortened.
    pub async fn open(config: ReplicaConfig) -> Result<Self, OpenError> {
        let settings = open::raft_config(config.snapshot_entries)?;
        let opening = config.clone();
        let on_disk = tokio::task::spawn_blocking(move || open::open(&opening))
            .await
            .map_err(|error| OpenError::Raft(error.to_string()))??;
        let OnDisk {
            log,
            core,
            floor,
            tail_dropped,
        } = on_disk;
        let shared = Arc::downgrade(&log.shared());
        let peers = Peers::new(config.connector, config.hints);
        let network = Network::new(config.node_id, peers.clone(), core.clone());
        let machine = StateMachine::new(core.clone());
        let raft = RaftHandle::build(config.node_id, settings, network, log, machine)
            .await
            .map_err(|error| open::explain(&core, &error))?;
        let candidacy = Candidacy::new(raft.clone(), config.sealed);
        let membership = Arc::new(Membership::new(
            config.node_id,
            config.member.addresses.clone(),
            raft.clone(),
            core.clone(),
            peers.clone(),
            candidacy.clone(),
            config.steady_time,
        ));
        let (rounds, confirming) = Rounds::new(Confirm {
            own_id: config.node_id,
            raft: raft.clone(),
            peers: peers.clone(),
        });
        let vigil = Vigil::new(tail_dropped, candidacy.clone());
        let torn = Torn::new(&config.dir);
        let watch = Watch::new(config.node_id, &raft, &peers, &shared, torn);
        let tasks = vec![
            sys::task::spawn("read-barrier", confirming),
            sys::task::spawn("membership", membership.clone().run()),
            sys::task::spawn("vigil", vigil.clone().run(watch)),
            sys::task::spawn("candidacy", candidacy.clone().run()),
            sys::task::spawn("format", membership.clone().raise_formats()),
            sys::task::spawn(
                "log-floor",
                stop::raise_with_snapshots(raft.clone(), shared.clone(), floor.clone()),
            ),
        ];
        raft.run();
        let inner = Inner {
            node_id: config.node_id,
            member: config.member,
            raft,
            core,
            peers,
            rounds,
            membership,
            disk: Disk::new(config.dir, shared.clone()),
            floor,
            log: shared,
            vigil,
            candidacy,
            removing: tokio::sync::Mutex::new(()),
            handing_over: tokio::sync::Mutex::new(()),
            tasks: Mutex::new(tasks),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.inner.node_id
    }

    /// Reads the state as this node has applied it, perhaps stale. Keep `read` short: apply
    /// waits for it.
    pub fn read<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.inner.core.cell.index())
    }

    /// How far this node has applied the log.
    pub fn applied_index(&self) -> u64 {
        self.inner.core.cell.applied_index()
    }

    /// Where a device changed last in what this node has applied, or later.
    pub fn devices_index(&self) -> u64 {
        self.inner.core.cell.devices_index()
    }

    /// Waits until this node has applied at least this much.
    ///
    /// # Errors
    ///
    /// When it did not within `patience`, or the replica stopped.
    pub async fn wait_applied(&self, at_least: u64, patience: Duration) -> Result<(), WaitError> {
        let mut applied = self.inner.core.cell.watch_applied();
        let reached = applied.wait_for(|index| *index >= at_least);
        match tokio::time::timeout(patience, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(WaitError::Stopped),
            Err(_) => Err(WaitError::TimedOut { at_least }),
        }
    }

    /// Waits until everything answered before this call began is applied here.
    ///
    /// # Errors
    ///
    /// Without a leader or a quorum, or when this node does not catch up.
    pub async fn read_barrier(&self) -> Result<ReadBarrier, BarrierError> {
        let index = self.inner.rounds.read_index().await?;
        match self
            .wait_applied(index, limits::BARRIER_APPLY_TIMEOUT)
            .await
        {
            Ok(()) => Ok(ReadBarrier::passed(index)),
            Err(WaitError::TimedOut { .. }) => Err(BarrierError::Behind),
            Err(WaitError::Stopped) => Err(BarrierError::Stopped),
        }
    }

    /// The index that a round confirms which starts after this call began; for peers. Only a
    /// leader answers: two followers that take each other for the leader must not wait in a ring.
    pub(crate) async fn confirm_read_index(&self) -> Result<u64, BarrierError> {
        match self.leader() {
            Some((leader, _)) if leader == self.inner.node_id => {
                self.inner.rounds.read_index().await
            }
            Some(_) | None => Err(BarrierError::NoLeader),
        }
    }

    /// Changes as this node applies them. Who lags gets `Lagged` and must forget what it cached.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.core.cell.watch_changes()
    }

    /// The leader, when one is known, and how it is reached.
    pub fn leader(&self) -> Option<(NodeId, Member)> {
        let leader = self.inner.raft.metrics().borrow_watched().current_leader?;
        Some((leader, self.member(leader)?))
    }

    /// Says that this node is reached at other addresses now; repeated until it is recorded.
    pub fn announce(&self, addresses: Addresses) {
        self.inner.membership.moved(addresses);
    }

    /// Says whether this node lacks the root key: such a node leads only when nobody else can,
    /// and writes nothing then.
    pub fn set_sealed(&self, sealed: bool) {
        self.inner.candidacy.set_sealed(sealed);
    }

    pub(crate) fn raft(&self) -> &RaftHandle {
        &self.inner.raft
    }
}
