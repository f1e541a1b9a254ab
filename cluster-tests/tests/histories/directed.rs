//! Stories that histories reach too seldom.

use std::iter;
use std::path::Path;
use std::time::Duration;

use cluster_tests::cluster::{Cluster, Equipment, Plan};
use cluster_tests::files;
use cluster_tests::wait;
use envelope::context::EncryptionContext;
use kms_client::reason::Reason;
use kms_client::{Batch, Client};
use tokio::runtime::Runtime;

fn cluster(runtime: &Runtime, root: &Path, equipment: Equipment) -> Option<Cluster> {
    let plan = Plan {
        ward: crate::ward().to_owned(),
        root: root.to_owned(),
        nodes: 3,
        equipment,
    };
    Cluster::start(runtime.handle(), &plan)
}

#[test]
fn a_secret_stays_where_it_is_when_its_key_is_disabled_while_its_record_is_written() {
    let _alone = crate::alone();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let runtime = Runtime::new().expect("a runtime");
    let cluster = cluster(&runtime, dir.path(), Equipment::default());
    let mut cluster = cluster.expect("nothing special");
    let leader = cluster.leader();
    let slow = cluster.numbers().find(|node| *node != leader);
    let slow = slow.expect("another node");
    cluster.kill(slow);
    let armed = format!("audit-unwritten=sleep({RECORD_MS})");
    cluster.restart_with(slow, &[("FAILPOINTS".into(), armed)]);
    cluster.wait_all_vote();
    let patience = Duration::from_secs(30);
    let clients = [
        cluster.client(leader, patience),
        cluster.client(slow, patience),
    ];
    let records = cluster.home(slow).join("audit");
    // The key may be disabled before its use is decided: then there is nothing to see.
    let found = (0..ROUNDS_MAX).any(|round| {
        let key = format!("late/{round}");
        let answers = runtime.block_on(disabled_meanwhile(&clients, &key));
        // All of them are decided, or none is looked at.
        let in_time = allowed(&records, &key) == answers.len();
        let refused = |answer: &Result<(), Reason>| *answer == Err(Reason::KeyDisabled);
        assert!(!in_time || answers.iter().all(refused), "{answers:?}");
        in_time
    });
    assert!(found, "no use was decided before its key was disabled");
    cluster.stop();
}

/// Asks the slow node to open something, alone and in a batch, and disables the key through the
/// leader at once.
async fn disabled_meanwhile([leader, slow]: &[Client; 2], key: &str) -> Vec<Result<(), Reason>> {
    let context = EncryptionContext::new();
    leader.create_key(key).await.expect("an operator may");
    let sealed = leader.encrypt(key, b"secret", &context).await;
    let blob = sealed.expect("an enabled key").blob;
    let at_slow = slow.clone();
    let opening = sys::task::spawn("opening", async move {
        let mut batch = Batch::new();
        batch.decrypt(&blob, &context);
        batch.decrypt(&blob, &context);
        let both = tokio::join!(at_slow.decrypt(&blob, &context), at_slow.batch(batch));
        let (alone, batch) = (
            both.0.map(drop),
            both.1.expect("only its items are refused"),
        );
        let batch = batch.into_iter().map(|opened| opened.map(drop));
        iter::once(alone).chain(batch).collect::<Vec<_>>()
    });
    // That takes longer than a decision, and not as long as its record.
    leader.disable_key(key).await.expect("an operator may");
    let opened = opening.await.expect("no panic").into_iter();
    opened
        .map(|opened| opened.map_err(|error| error.reason()))
        .collect()
}

/// How often a node has written down that it allowed to open something with this key.
fn allowed(records: &Path, key: &str) -> usize {
    let logs = files::below(records).into_iter();
    let logs = logs.filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
    let read = |path| std::fs::read_to_string(path).expect("a log");
    let text: String = logs.map(read).collect();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_default())
        .filter(|it| {
            it["action"] == "Decrypt" && it["resource"] == key && it["outcome"] == "allowed"
        })
        .count()
}

// Mutation: a vote that is not synced before it is told.
#[test]
fn a_vote_outlives_a_power_cut() {
    let _alone = crate::alone();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let runtime = Runtime::new().expect("a runtime");
    let equipment = Equipment {
        network: true,
        disk_bytes: Some(256 << 20),
        ..Equipment::default()
    };
    let Some(mut cluster) = cluster(&runtime, dir.path(), equipment) else {
        return;
    };
    let leader = cluster.leader();
    let others: Vec<_> = cluster.numbers().filter(|node| *node != leader).collect();
    let &[voter, other] = others.as_slice() else {
        unreachable!("three nodes");
    };
    cluster.kill(voter);
    let armed = "vote-told=return".to_owned();
    cluster.restart_with(voter, &[("FAILPOINTS".into(), armed)]);
    cluster.wait_all_vote();
    let term = wait::until("the term", || cluster.metric(voter, TERM));
    // Whichever of the two stands, this one votes, and ends with that.
    cluster.kill(leader);
    wait::until("the vote", || cluster.has_ended(voter).then_some(()));
    cluster.cut_power(&[voter]);
    // Nobody can tell it what it has forgotten.
    cluster.partition(&[voter], &[leader, other], true);
    cluster.restart(voter);
    let after = wait::until("the term after the power cut", || {
        cluster.metric(voter, TERM)
    });
    assert!(
        after > term,
        "it voted in a term after {term}, and says {after}"
    );
}

const TERM: &str = "ward_raft_term";
/// How long each record takes.
const RECORD_MS: u64 = 1_000;
const ROUNDS_MAX: usize = 20;
