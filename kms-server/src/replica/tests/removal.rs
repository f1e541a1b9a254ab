//! What a removed node may do while Raft keeps it, and that one that stays holds nobody up.

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use tonic::Code;
use ward_proto::peer::v1::{
    ForwardRequest, GetAuditHeadRequest, GetNodeStatusRequest, ReadIndexRequest,
};

use super::cluster::{Cluster, until};
use crate::command::{Command, RemoveNode};
use crate::raft::network::{Lane, request_for};
use crate::replica::{Replica, TransferError};
use crate::state::NodeId;

/// Three voters of which one is dead, and another removed that cannot be spared therefore.
struct Stuck {
    cluster: Cluster,
    leader: u64,
    leaving: u64,
    dead: u64,
}

impl Stuck {
    async fn begin() -> Self {
        let mut cluster = Cluster::of(3).await;
        let leader = cluster.leader().await;
        // The one that leaves has the lower id of the two.
        let mut others = (1..=3).filter(|node| *node != leader);
        let (leaving, dead) = (others.next().unwrap(), others.next().unwrap());
        cluster.kill(dead).await;
        let replica = cluster.nodes[&leader].replica.clone();
        until("the dead one is missed", || !replica.hears(NodeId(dead))).await;
        cluster.write(remove(leaving)).await;
        assert!(replica.is_leaving(NodeId(leaving)));
        Self {
            cluster,
            leader,
            leaving,
            dead,
        }
    }

    /// Waits until the leader's membership is committed with these voters alone.
    async fn until_voters(&self, expected: &[u64]) {
        until("the membership", || {
            let metrics = self.replica(self.leader).raft().metrics();
            let committed = metrics.borrow_watched().committed_membership_config.clone();
            let members = committed.membership();
            let nodes = members.nodes().map(|(node, _)| node.0);
            members.get_joint_config().len() == 1 && nodes.eq(expected.iter().copied())
        })
        .await;
    }

    fn replica(&self, node: u64) -> &Replica {
        &self.cluster.nodes[&node].replica
    }
}

fn remove(node: u64) -> Command {
    let node_id = NodeId(node);
    Command::RemoveNode(RemoveNode { node_id })
}

// Mutation: answering whoever Raft keeps lets a removed node hand over writes in any name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_that_raft_keeps_vouches_for_nobody_and_votes_on() {
    let stuck = Stuck::begin().await;
    let leader = NodeId(stuck.leader);
    let peers = &stuck.replica(stuck.leaving).inner.peers;
    let client = || peers.client(leader, Lane::Control);

    let intent = Bytes::from_static(b"a write");
    let forward = request_for(leader, ForwardRequest { intent });
    let refused = client().forward(forward).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let read = request_for(leader, ReadIndexRequest {});
    let refused = client().read_index(read).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let head = request_for(leader, GetAuditHeadRequest::default());
    let refused = client().get_audit_head(head).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    // It has to find out who could lead, and its vote counts: nothing commits without it here.
    let status = request_for(leader, GetNodeStatusRequest {});
    client().get_node_status(status).await.unwrap();
    stuck.replica(stuck.leader).read_barrier().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_that_raft_keeps_is_no_heir_and_nor_is_a_dead_one() {
    let stuck = Stuck::begin().await;
    let leader = stuck.replica(stuck.leader);
    let node = NodeId(stuck.leaving);
    assert_eq!(
        leader.check_heir(node),
        Err(TransferError::Leaving { node })
    );
    let node = NodeId(stuck.dead);
    assert_eq!(leader.check_heir(node), Err(TransferError::Behind { node }));
}

// Mutation: waiting for the first removed member alone, none of these two ever changes anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_that_cannot_be_spared_lets_the_dead_one_go_first() {
    let stuck = Stuck::begin().await;
    let leader = stuck.replica(stuck.leader);
    leader.check_removal(NodeId(stuck.dead)).unwrap();
    stuck.cluster.write(remove(stuck.dead)).await;
    stuck.until_voters(&[stuck.leader]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_that_cannot_be_spared_lets_a_new_one_in() {
    let mut stuck = Stuck::begin().await;
    stuck.cluster.join_unready(4).await;
    // With its vote the removed one is not needed any more.
    let mut left = [stuck.leader, stuck.dead, 4];
    left.sort_unstable();
    stuck.until_voters(&left).await;
}
