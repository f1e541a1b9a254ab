//! What is on disk, after it was lost, cut or left behind.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use openraft::alias::{LeaderIdOf, LogIdOf};
use openraft::vote::RaftLeaderId;

use super::cluster::{Cluster, PATIENCE, TestNode, config, until};
use crate::command::testing::{create_key, genesis};
use crate::raft::TypeConfig;
use crate::replica::{OpenError, Replica, ReplicaConfig, StopError};
use crate::state::{NodeId, wait_until_free};

async fn stopped_with_keys(count: u64) -> Cluster {
    let mut cluster = Cluster::of(1).await;
    cluster.create_keys(count).await;
    cluster.kill(1).await;
    cluster
}

/// Shortens the newest file of a node's log.
fn cut_log(cluster: &Cluster, node: u64, to: impl FnOnce(u64) -> u64) {
    let log = std::fs::read_dir(cluster.dir(node).join("log")).unwrap();
    let files = log.map(|entry| entry.unwrap().path());
    let newest = files
        .filter(|path| path.extension().is_some_and(|e| e == "raftlog"))
        .max()
        .unwrap();
    // What is only reserved behind the last entry is there until the engine's last handle goes.
    let bytes = std::fs::read(&newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let file = std::fs::File::options().write(true).open(&newest).unwrap();
    file.set_len(to(end as u64)).unwrap();
}

/// The state's store, once its former owner has let go of it.
fn sled_of(cluster: &Cluster) -> sled::Db {
    let dir = cluster.dir(1).join("state");
    wait_until_free(&dir).unwrap();
    sled::open(dir).unwrap()
}

fn keys(cluster: &Cluster) -> usize {
    let replica = &cluster.nodes[&1].replica;
    replica.read(|index| index.keys_by_name("", "").count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_initialised_node_without_its_log_does_not_start() {
    let mut cluster = stopped_with_keys(3).await;
    std::fs::remove_dir_all(cluster.dir(1).join("log")).unwrap();
    // The floor would say so too; this is about the identity file alone.
    std::fs::remove_file(cluster.dir(1).join("log.floor")).unwrap();
    let error = cluster.start(1).await.unwrap_err();
    assert!(matches!(error, OpenError::LogShortened { .. }), "{error}");
    assert!(error.to_string().contains("join it again"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shortened_log_does_not_start() {
    let mut cluster = stopped_with_keys(20).await;
    cut_log(&cluster, 1, |length| length * 2 / 3);
    let error = cluster.start(1).await.unwrap_err();
    assert!(matches!(error, OpenError::LogShortened { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_state_is_rebuilt() {
    let mut cluster = stopped_with_keys(20).await;
    std::fs::remove_dir_all(cluster.dir(1).join("state")).unwrap();
    cluster.start(1).await.unwrap();
    until("the keys are back", || keys(&cluster) == 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_another_boot_is_rebuilt() {
    let mut cluster = stopped_with_keys(20).await;
    std::fs::write(cluster.dir(1).join("state.boot"), "another boot").unwrap();
    // Something that only a store that was not deleted would still have.
    let db = sled_of(&cluster);
    db.open_tree("witness")
        .unwrap()
        .insert("was", "here")
        .unwrap();
    db.flush().unwrap();
    drop(db);
    cluster.start(1).await.unwrap();
    until("the keys are back", || keys(&cluster) == 20).await;
    cluster.kill(1).await;
    let db = sled_of(&cluster);
    assert!(db.open_tree("witness").unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_ahead_of_its_log_is_not_believed() {
    let cluster = stopped_with_keys(20).await;
    let ahead = cluster.dir(1).join("state");
    let mut other = stopped_with_keys(5).await;
    let behind = other.dir(1).join("state");
    std::fs::remove_dir_all(&behind).unwrap();
    std::fs::rename(&ahead, &behind).unwrap();
    other.start(1).await.unwrap();
    until("the log's keys alone", || keys(&other) == 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purged_log_without_its_snapshot_does_not_start() {
    let mut cluster = Cluster::of(1).await;
    cluster.create_keys(20).await;
    cluster.snapshot_and_purge(1).await;
    cluster.kill(1).await;
    std::fs::remove_dir_all(cluster.dir(1).join("snapshots")).unwrap();
    let error = cluster.start(1).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("join it again"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_a_newer_version_is_refused() {
    let mut cluster = Cluster::begin().await;
    let dir = cluster.dir(7).join("log");
    std::fs::create_dir_all(&dir).unwrap();
    crate::raft::write_log_format(&dir, 99);
    let error = cluster.start(7).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { found: 99, .. }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_a_newer_version_is_not_called_damaged() {
    let mut cluster = Cluster::begin().await;
    let dir = cluster.dir(7).join("snapshots");
    std::fs::create_dir_all(&dir).unwrap();
    let name = "0000000000000001-0000000000000001.wsnp";
    std::fs::write(dir.join(name), b"WSNP\0\0\0\x63and more").unwrap();
    let error = cluster.start(7).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { found: 99, .. }),
        "{error}"
    );
}

// On a full disk nothing can be written, and a node must still start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_boot_is_not_written_again_while_it_is_the_same() {
    let mut cluster = stopped_with_keys(1).await;
    let inode = |cluster: &Cluster| {
        let boot = std::fs::metadata(cluster.dir(1).join("state.boot"));
        boot.unwrap().ino()
    };
    let before = inode(&cluster);
    cluster.start(1).await.unwrap();
    assert_eq!(inode(&cluster), before);
}

// Mutation: without the watch on the metrics nobody learns of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raft_that_its_storage_ended_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = BTreeMap::from([(1, "127.0.0.1:1".to_owned())]);
    let replica = Replica::open(ReplicaConfig {
        mark_initialised: Arc::new(|| Err(std::io::Error::other("injected"))),
        ..config(dir.path(), 1, &addresses)
    });
    let replica = replica.await.unwrap();
    replica.initialize(genesis()).await.unwrap_err();
    let stopped = tokio::time::timeout(PATIENCE, replica.stopped()).await;
    assert!(
        matches!(stopped, Ok(StopError::Storage { .. })),
        "{stopped:?}"
    );
    replica.shutdown().await;
}

// The floor would refuse this log; without it only the torn end tells. Mutations: a vigil that is
// over from the start fails the first check; without `allow_log_reversion` the leader panics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_log_lost_its_end_does_not_vote_until_it_has_caught_up() {
    let mut cluster = Cluster::of(3).await;
    cluster.write(create_key("k", 1)).await;
    let leader = cluster.leader().await;
    let torn = (1..=3).find(|n| *n != leader).unwrap();
    // While the leader goes on.
    lose_the_end(&mut cluster, torn).await;
    cluster.start(torn).await.unwrap();
    cluster.write(create_key("l", 2)).await;
    let caught_up = |cluster: &Cluster| {
        let replica = &cluster.nodes[&torn].replica;
        replica.may_vote() && replica.read(|index| index.key_by_name("l").is_some())
    };
    until("it has caught up", || caught_up(&cluster)).await;

    // And alone, with nobody to catch up with.
    for number in (1..=3).filter(|n| *n != torn) {
        cluster.kill(number).await;
    }
    lose_the_end(&mut cluster, torn).await;
    cluster.start(torn).await.unwrap();
    assert!(!cluster.nodes[&torn].replica.may_vote());
    for number in (1..=3).filter(|n| *n != torn) {
        cluster.start(number).await.unwrap();
    }
    until("it has caught up again", || caught_up(&cluster)).await;
    until("the mark is gone", || {
        !cluster.dir(torn).join("log.torn").exists()
    })
    .await;
}

// The engine made the file whole at the first start. Mutation: without the mark it votes here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_end_is_not_forgotten_at_a_restart() {
    let mut cluster = Cluster::of(3).await;
    cluster.write(create_key("k", 1)).await;
    for number in 1..=3 {
        cluster.kill(number).await;
    }
    lose_the_end_of(&cluster, 1);
    for _ in 0..2 {
        cluster.start(1).await.unwrap();
        assert!(!cluster.nodes[&1].replica.may_vote());
        cluster.kill(1).await;
    }
}

// A power cut of all nodes. Mutation: a vigil that asks nobody never ends here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_logs_all_lost_their_ends_finds_a_leader() {
    let mut cluster = Cluster::of(3).await;
    cluster.write(create_key("k", 1)).await;
    for number in 1..=3 {
        cluster.kill(number).await;
    }
    for number in 1..=3 {
        lose_the_end_of(&cluster, number);
    }
    for number in 1..=2 {
        cluster.start(number).await.unwrap();
    }
    // Two of three could elect one of them; the third may hold what they lost.
    let any = LogIdOf::<TypeConfig> {
        leader_id: LeaderIdOf::<TypeConfig>::new(99, NodeId(1)).to_committed(),
        index: 99,
    };
    let holds_back = |node: &TestNode| !node.replica.may_vote_for(Some(&any));
    assert!(cluster.nodes.values().all(holds_back));
    cluster.start(3).await.unwrap();
    cluster.write(create_key("l", 2)).await;
    until("all vote again", || {
        cluster.nodes.values().all(|node| node.replica.may_vote())
    })
    .await;
}

async fn lose_the_end(cluster: &mut Cluster, node: u64) {
    cluster.kill(node).await;
    lose_the_end_of(cluster, node);
}

fn lose_the_end_of(cluster: &Cluster, node: u64) {
    std::fs::remove_file(cluster.dir(node).join("log.floor")).unwrap();
    cut_log(cluster, node, |length| length - 5);
}
