//! The format of the state rises with the slowest member, and a program that is too old stops.

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use tonic::Code;
use ward_proto::peer::v1::RaftMessage;

use super::cluster::{Cluster, PATIENCE, until};
use crate::command::testing::create_key;
use crate::command::{Command, Proposal, PutQuota, Refusal};
use crate::raft::network::{Lane, request_for, tell_format};
use crate::replica::{OpenError, ProposeError, ReplicaRole, StopError};
use crate::state::{FORMAT_FIRST, FORMAT_VERSION, NodeId, Role};

const NEWER: u32 = FORMAT_VERSION + 1;

fn format_on(cluster: &Cluster, node: u64) -> u32 {
    let replica = &cluster.nodes[&node].replica;
    replica.read(|index| index.cluster().map_or(0, |cluster| cluster.format_version))
}

// Mutation: a leader that counts who does not tell as knowing raises with the second node away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_format_rises_when_the_last_member_knows_it_and_an_older_program_stops_there() {
    let mut cluster = Cluster::of(3).await;
    // One after the other runs the newer program, as an operator upgrades a cluster.
    for node in 1..=3 {
        assert!((1..=3).all(|node| format_on(&cluster, node) == FORMAT_VERSION));
        cluster.kill(node).await;
        cluster
            .write(create_key(&format!("without-{node}"), node))
            .await;
        cluster.formats.insert(node, NEWER);
        cluster.start(node).await.unwrap();
        cluster.leader().await;
    }
    until("the newer format everywhere", || {
        (1..=3).all(|node| format_on(&cluster, node) == NEWER)
    })
    .await;

    // An older program comes back on a node that was away, or joins.
    cluster.join_unready(4).await;
    let late = cluster.nodes[&4].replica.clone();
    let stopped = tokio::time::timeout(PATIENCE, late.stopped()).await;
    let expected = StopError::Newer {
        found: NEWER,
        known: FORMAT_VERSION,
    };
    assert_eq!(stopped.unwrap(), expected);
}

// Mutation: refused by apply alone, the command stands in the log of members that cannot read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_a_newer_format_never_reaches_the_log() {
    let cluster = Cluster::begin_in(FORMAT_FIRST).await;
    let replica = &cluster.nodes[&1].replica;
    let last = || replica.raft().metrics().borrow_watched().last_log_index;
    let before = last();
    let newer = Command::PutQuota(PutQuota {
        role: Role::App,
        id: String::new(),
        limits: Vec::new(),
    });
    let refused = replica.propose(Proposal::internal(1, newer));
    let expected = Err(ProposeError::Refused(Refusal::FormatNewer));
    assert_eq!(refused.await, expected);
    assert_eq!(last(), before);
}

// Mutation: a snapshot that names what its program knows keeps older programs out before the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_names_the_format_of_its_state() {
    let older = FORMAT_VERSION - 1;
    let cluster = Cluster::begin_in(older).await;
    cluster.snapshot_and_purge(1).await;
    let files = std::fs::read_dir(cluster.dir(1).join("snapshots")).unwrap();
    let mut versions = files.map(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        u32::from_be_bytes(bytes[4..8].try_into().unwrap())
    });
    assert_eq!(versions.next(), Some(older));
}

// Mutation: refused on its way in, the snapshot is sent again and again, and nobody is told why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_that_is_sent_a_newer_snapshot_stops_and_says_so() {
    let mut cluster = Cluster::begin_in(NEWER).await;
    cluster.create_keys(3).await;
    cluster.snapshot_and_purge(1).await;
    cluster.join_unready(2).await;
    let late = cluster.nodes[&2].replica.clone();
    let stopped = tokio::time::timeout(PATIENCE, late.stopped()).await;
    let expected = StopError::Newer {
        found: NEWER,
        known: FORMAT_VERSION,
    };
    assert_eq!(stopped.unwrap(), expected);
}

/// Sends node 2 entries that it cannot read, as node 1 with a state of this format.
async fn send_unreadable(cluster: &Cluster, format: u32) -> Code {
    let payload = Bytes::from_static(&[0xff; 8]);
    let mut request = request_for(NodeId(2), RaftMessage { payload });
    tell_format(&mut request, format);
    let peers = &cluster.nodes[&1].replica.inner.peers;
    let mut client = peers.client(NodeId(2), Lane::Replication);
    let answered = client.append_entries(request).await;
    answered.map(drop).unwrap_err().code()
}

// Mutations: who cannot read entries is sent them for ever; any that are damaged end it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_that_cannot_read_entries_stops_and_says_so() {
    let cluster = Cluster::of(2).await;
    let older = cluster.nodes[&2].replica.clone();
    assert_eq!(
        send_unreadable(&cluster, FORMAT_VERSION).await,
        Code::InvalidArgument
    );
    // Damage on the way, not a format: it goes on.
    cluster.write(create_key("with-both", 1)).await;
    assert_ne!(older.status().role, ReplicaRole::Stopped);

    send_unreadable(&cluster, NEWER).await;
    let stopped = tokio::time::timeout(PATIENCE, older.stopped()).await;
    let expected = StopError::Newer {
        found: NEWER,
        known: FORMAT_VERSION,
    };
    assert_eq!(stopped.unwrap(), expected);
}

// Mutation: Raft's own words for it name no reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_does_not_start_on_a_log_that_raised_the_format() {
    let mut cluster = Cluster::begin().await;
    cluster.kill(1).await;
    cluster.formats.insert(1, NEWER);
    cluster.start(1).await.unwrap();
    until("the newer format", || format_on(&cluster, 1) == NEWER).await;
    cluster.kill(1).await;
    // Another program's state is rebuilt from the log.
    std::fs::remove_dir_all(cluster.dir(1).join("state")).unwrap();
    cluster.formats.clear();
    let refused = cluster.start(1).await.unwrap_err();
    let OpenError::Newer { found, known, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!((found, known), (NEWER, FORMAT_VERSION));
}
