//! Revocation and everything else that is answered, under harm: short histories, all checkers.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cluster_tests::cluster::{Cluster, Equipment, Plan};
use cluster_tests::scenario::histories::{self, Harm, Size};
use envelope::context::EncryptionContext;
use kms_client::reason::Reason;
use tokio::runtime::Runtime;

const WARD: &str = env!("CARGO_BIN_EXE_ward-cluster");

/// Each has enough to do for a whole small machine.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs one and demands that everything it was told can be true.
fn check(calls: usize, harms: &[Harm]) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let size = Size {
        seed: fastrand::u64(..1_000_000),
        nodes: 3,
        calls,
        harms: harms.to_vec(),
    };
    let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("histories");
    let Some(report) = histories::run(Path::new(WARD), dir.path(), &keep, &size) else {
        return;
    };
    sys::talk::say(format_args!("seed {}: {report}", size.seed));
    assert!(
        report.verdict.violations.is_empty(),
        "see {}",
        keep.display()
    );
    // Positive controls: there was something to check.
    let [done, refused, _] = report.calls;
    assert!(done > calls / 4 && refused > 0, "{report}");
    assert!(report.verdict.revocations > calls / 50, "{report}");
    assert!(report.verdict.leases > 10, "{report}");
}

#[test]
fn what_clients_are_told_under_kills_and_pauses_can_be_true() {
    check(1_200, &Harm::PLAIN);
}

#[test]
fn what_clients_are_told_while_nodes_are_cut_off_can_be_true() {
    check(1_200, &Harm::WAYS);
}

#[test]
fn what_clients_are_told_around_power_cuts_can_be_true() {
    check(1_200, &Harm::DISKS);
}

#[test]
fn what_clients_are_told_while_nodes_end_anywhere_can_be_true() {
    check(1_200, &Harm::CRASHES);
}

#[test]
fn a_secret_stays_where_it_is_when_its_key_is_disabled_while_its_record_is_written() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let runtime = Runtime::new().expect("a runtime");
    let plan = Plan {
        ward: WARD.into(),
        root: dir.path().to_owned(),
        nodes: 3,
        equipment: Equipment::default(),
    };
    let mut cluster = Cluster::start(runtime.handle(), &plan).expect("nothing special");
    let leader = cluster.leader();
    let slow = cluster.numbers().find(|node| *node != leader);
    let slow = slow.expect("another node");
    cluster.kill(slow);
    // Its audit log takes so long for each record.
    let armed = format!("audit-unwritten=sleep({RECORD_MS})");
    cluster.restart_with(slow, &[("FAILPOINTS".into(), armed)]);
    cluster.wait_all_vote();
    let patience = Duration::from_secs(30);
    let (client, at_slow) = (
        cluster.client(leader, patience),
        cluster.client(slow, patience),
    );
    runtime.block_on(async {
        let context = EncryptionContext::new();
        client.create_key("late").await.expect("an operator may");
        let sealed = client.encrypt("late", b"secret", &context).await;
        let blob = sealed.expect("an enabled key").blob;
        let opened = at_slow.decrypt(&blob, &context).await;
        assert!(opened.is_ok(), "positive control: {:?}", opened.err());
        let opening = sys::task::spawn(
            "opening",
            async move { at_slow.decrypt(&blob, &context).await },
        );
        // By now it is decided, and waits for its record.
        tokio::time::sleep(Duration::from_millis(RECORD_MS / 3)).await;
        client.disable_key("late").await.expect("an operator may");
        let opened = opening.await.expect("no panic");
        let reason = opened.map(drop).map_err(|error| error.reason());
        assert_eq!(reason, Err(Reason::KeyDisabled));
    });
    cluster.stop();
}

const RECORD_MS: u64 = 1_500;
