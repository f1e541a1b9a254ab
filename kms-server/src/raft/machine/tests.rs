//! openraft's own storage suite, over our log and state machine; and what it does not ask.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use envelope::id::KeyVersion;
use futures::stream;
use openraft::alias::{EntryOf, LeaderIdOf, LogIdOf};
use openraft::entry::{EntryPayload, RaftEntry};
use openraft::storage::{RaftSnapshotBuilder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::vote::RaftLeaderId;
use openraft::{RaftTypeConfig, StorageError};
use proptest::prelude::*;
use tempfile::TempDir;

use super::patient::Patient;
use super::{Core, StateMachine};
use crate::command::testing::{RING, begin, create_key, genesis, key_id, record};
use crate::command::{
    Command, CreateJoinToken, Genesis, Proposal, PutPolicy, RaiseFormat, RotateKey, SetKeyState,
    Write,
};
use crate::keyring::{Place, RecordError};
use crate::raft::TypeConfig;
use crate::raft::log::{LogStore, Torn};
use crate::raft::snapshot::{Shelf, SnapshotWriter, read_snapshot};
use crate::state::{
    Applied, FORMAT_VERSION, Index, KeyState, KeyType, NodeId, Record, RecordId, Role, StateCell,
    Store, wait_until_free,
};

/// As a replica opens it, the log apart.
pub(super) fn open(dir: &Path) -> Arc<Core> {
    let (store, index, shelf) = reopen(dir);
    let cell = StateCell::new(index, store.applied());
    Arc::new(Core::new(store, cell, shelf))
}

/// What is on disk, once its former owner has let go of it.
pub(super) fn reopen(dir: &Path) -> (Store, Index, Shelf) {
    let (shelf, snapshot) = Shelf::open(&dir.join("snapshots")).unwrap();
    let (snapshot, mut index) = snapshot.unwrap_or_default();
    let (store, changed) = Store::open(&dir.join("state"), &snapshot).unwrap();
    index.put_all(changed);
    (store, index, shelf)
}

/// The store's first generation, once its former owner has let go of it.
fn first_generation(dir: &Path) -> sled::Tree {
    let dir = dir.join("state");
    wait_until_free(&dir).unwrap();
    sled::open(dir)
        .unwrap()
        .open_tree(1_u64.to_be_bytes())
        .unwrap()
}

/// Whether the store is believed, without a snapshot.
fn is_believed(dir: &Path) -> bool {
    Store::open(&dir.join("state"), &Applied::default()).is_ok()
}

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let log = LogStore::open(&dir.path().join("log"), &Torn::new(dir.path()), None)
            .unwrap()
            .store;
        let machine = StateMachine::new(open(dir.path()));
        Ok((dir, log, machine))
    }
}

// Mutations this catches: a truncation or a purge mark that is not kept, an applied state that
// forgets the membership. It says nothing about durability: `raft::log::tests` does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openrafts_storage_suite_passes() {
    Suite::test_all(Builder).await.unwrap();
}

pub(super) fn log_id(index: u64) -> LogIdOf<TypeConfig> {
    LogIdOf::<TypeConfig> {
        leader_id: LeaderIdOf::<TypeConfig>::new(1, NodeId(1)).to_committed(),
        index,
    }
}

fn entry(index: u64, command: Command) -> EntryOf<TypeConfig> {
    let payload = EntryPayload::Normal(Proposal::internal(1_000 + index, command));
    <TypeConfig as RaftTypeConfig>::Entry::new(log_id(index), payload)
}

/// Entries from index 1: genesis, then keys.
fn entries(keys: u64) -> Vec<EntryOf<TypeConfig>> {
    let genesis = entry(1, begin());
    let keys = (2..2 + keys).map(|i| entry(i, create_key(&format!("key-{i}"), i)));
    std::iter::once(genesis).chain(keys).collect()
}

async fn apply(machine: &mut StateMachine, entries: Vec<EntryOf<TypeConfig>>) {
    let stream = stream::iter(entries.into_iter().map(|entry| Ok((entry, None))));
    machine.apply(stream).await.unwrap();
}

async fn snapshot_bytes(machine: &mut StateMachine) -> Vec<u8> {
    let mut builder = machine.get_snapshot_builder().await;
    let built = builder.build_snapshot().await.unwrap();
    built.snapshot.read_at(0, 64 * 1024 * 1024).unwrap()
}

#[tokio::test]
async fn the_state_survives_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = StateMachine::new(open(dir.path()));
    apply(&mut machine, entries(10)).await;
    let before = snapshot_bytes(&mut machine).await;
    drop(machine);
    let mut machine = StateMachine::new(open(dir.path()));
    assert_eq!(machine.core.applied().index(), 11);
    assert_eq!(snapshot_bytes(&mut machine).await, before);
}

#[tokio::test]
async fn a_snapshot_installed_elsewhere_is_the_same_state() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut machine = StateMachine::new(open(here.path()));
    apply(&mut machine, entries(100)).await;
    let bytes = snapshot_bytes(&mut machine).await;
    let built = machine.get_current_snapshot().await.unwrap().unwrap();

    let mut other = StateMachine::new(open(there.path()));
    apply(&mut other, entries(3)).await;
    other
        .install_snapshot(&built.meta, built.snapshot)
        .await
        .unwrap();
    assert_eq!(other.core.applied().index(), 101);
    assert_eq!(snapshot_bytes(&mut other).await, bytes);
    drop(other);
    // The store on disk was replaced too.
    let mut other = StateMachine::new(open(there.path()));
    assert_eq!(snapshot_bytes(&mut other).await, bytes);
}

/// A disk that is full for a few writes.
struct Filling {
    refusals: u32,
    written: Vec<u8>,
}

impl io::Write for Filling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(3);
        self.written.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_snapshot_waits_for_room_until_the_replica_closes() {
    let dir = tempfile::tempdir().unwrap();
    let core = open(dir.path());
    let filling = |refusals| Filling {
        refusals,
        written: Vec::new(),
    };
    let mut patient = Patient::new(filling(2), &core);
    patient.write_all(b"a record").unwrap();
    assert_eq!(patient.into_inner().written, b"a record");

    core.close();
    let mut patient = Patient::new(filling(u32::MAX), &core);
    let error = core.note(patient.write_all(b"a record")).unwrap_err();
    assert!(sys::file::is_full(&error));
    assert!(core.found_disk_full());
}

// Mutation: `Pin::keep` that does nothing makes the later keys appear in the snapshot.
#[tokio::test]
async fn what_is_applied_while_a_snapshot_is_built_is_not_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = StateMachine::new(open(dir.path()));
    let all = entries(600);
    apply(&mut machine, all[..300].to_vec()).await;
    let mut builder = machine.get_snapshot_builder().await;
    apply(&mut machine, all[300..].to_vec()).await;
    let built = builder.build_snapshot().await.unwrap();
    let (meta, index) = built.snapshot.load().unwrap();
    assert_eq!(meta.last_log_id, Some(log_id(300)));
    assert_eq!(index.keys_by_name("", "").count(), 299);
    assert_eq!(index.counters().time_ms, 1_300);
    let live = machine.core.cell.index().keys_by_name("", "").count();
    assert_eq!(live, 600);

    // The store holds what is not in the snapshot, and nothing else.
    drop((machine, builder));
    let (_, changed) = Store::open(&dir.path().join("state"), &Applied::from(&meta)).unwrap();
    let is_name = |(id, _): &&Write| matches!(id, RecordId::KeyName(_));
    assert_eq!(changed.iter().filter(is_name).count(), 301);
}

// Mutation: a snapshot that names the program's own format is refused by older members.
#[tokio::test]
async fn a_snapshot_names_the_format_of_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = StateMachine::new(open(dir.path()));
    let older = Genesis {
        format_version: FORMAT_VERSION - 1,
        ..genesis()
    };
    let older = Command::Genesis(Box::new(older));
    apply(&mut machine, vec![entry(1, older)]).await;
    let bytes = snapshot_bytes(&mut machine).await;
    assert_eq!(bytes[4..8], (FORMAT_VERSION - 1).to_be_bytes());
}

#[tokio::test]
async fn a_snapshot_goes_on_when_the_state_is_replaced_under_it() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut machine = StateMachine::new(open(here.path()));
    apply(&mut machine, entries(50)).await;
    let mut builder = machine.get_snapshot_builder().await;
    let mut other = StateMachine::new(open(there.path()));
    apply(&mut other, entries(500)).await;
    snapshot_bytes(&mut other).await;
    let newer = other.get_current_snapshot().await.unwrap().unwrap();
    machine
        .install_snapshot(&newer.meta, newer.snapshot)
        .await
        .unwrap();

    let built = builder.build_snapshot().await.unwrap();
    assert_eq!(built.meta.last_log_id, Some(log_id(51)));
    let current = machine.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(
        current.meta.last_log_id,
        Some(log_id(501)),
        "never backwards"
    );
}

// Mutation: a check before the answer is known stops an old program over a raise that was refused.
#[tokio::test]
async fn only_a_newer_format_that_was_not_refused_stops_an_older_program() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = StateMachine::new(open(dir.path()));
    apply(&mut machine, entries(0)).await;
    let next_node_id = machine.core.cell.index().counters().next_node_id;
    let raise = |next_node_id| {
        let version = FORMAT_VERSION + 1;
        Command::RaiseFormat(RaiseFormat {
            version,
            next_node_id,
        })
    };
    // Somebody joined since that was decided.
    apply(&mut machine, vec![entry(2, raise(next_node_id - 1))]).await;
    assert_eq!(machine.core.applied().index(), 2);
    assert_eq!(machine.core.found_newer_format(), None);

    // What comes before it at once counts, and is stored.
    let raised = [
        entry(3, create_key("before", 1)),
        entry(4, raise(next_node_id)),
    ];
    let raised = stream::iter(raised.map(|entry| Ok((entry, None))));
    machine.apply(raised).await.unwrap_err();
    assert_eq!(machine.core.applied().index(), 3);
    let found = machine.core.found_newer_format();
    assert_eq!(found, Some(FORMAT_VERSION + 1));
    drop(machine);
    let (store, index, _) = reopen(dir.path());
    assert_eq!(store.applied().index(), 3);
    assert!(index.key_by_name("before").is_some());
}

#[tokio::test]
async fn a_damaged_store_is_doubted() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = StateMachine::new(open(dir.path()));
    apply(&mut machine, entries(10)).await;
    drop(machine);
    let tree = first_generation(dir.path());
    let (key, value) = tree.iter().nth(3).unwrap().unwrap();
    tree.insert(&key, &value[..value.len() - 1]).unwrap();
    drop(tree);
    assert!(!is_believed(dir.path()));
}

#[tokio::test]
async fn a_store_that_lost_a_record_is_doubted() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = StateMachine::new(open(dir.path()));
    apply(&mut machine, entries(10)).await;
    drop(machine);
    let tree = first_generation(dir.path());
    let (key, _) = tree.iter().nth(3).unwrap().unwrap();
    tree.remove(&key).unwrap();
    drop(tree);
    assert!(!is_believed(dir.path()));
}

/// What a tampered disk can hold: well-formed, checksums and all. The revision is authentic, so a
/// former record at the place of the newest does not open, from the store or from a snapshot.
#[tokio::test]
async fn a_record_rolled_back_in_the_store_or_a_snapshot_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = StateMachine::new(open(dir.path()));
    let place = Place::policy("p");
    let put = |expected_revision: u64| {
        Command::PutPolicy(PutPolicy {
            policy_id: "p".to_owned(),
            expected_revision,
            sealed: record(&place, expected_revision + 1),
        })
    };
    let history = [entry(1, begin()), entry(2, put(0)), entry(3, put(1))];
    apply(&mut machine, history.to_vec()).await;
    drop(machine);

    let (mut store, index, _) = reopen(dir.path());
    let newest = index.policy("p").unwrap().clone();
    assert_eq!(
        RING.open(&place, &newest.sealed).unwrap().expose(),
        b"revision 2"
    );
    let mut rolled_back = newest;
    rolled_back.sealed.record = record(&place, 1);
    let write = (
        RecordId::Policy("p".to_owned()),
        Some(Record::Policy(rolled_back)),
    );
    let applied = store.applied().clone();
    let mut changes = store.begin();
    changes.add(&[write], applied);
    changes.commit();
    drop(store);

    let (store, index, _) = reopen(dir.path());
    let mut snapshot = SnapshotWriter::begin(
        Vec::new(),
        FORMAT_VERSION,
        &store.applied().to_snapshot_meta(),
    )
    .unwrap();
    for (id, record) in index.range_after(None) {
        snapshot.record(id, record).unwrap();
    }
    let snapshot = snapshot.finish().unwrap();
    let (_, installed) = read_snapshot(snapshot.as_slice()).unwrap();
    let (found, expected) = (1, 2);
    for index in [index, installed] {
        let opened = RING.open(&place, &index.policy("p").unwrap().sealed);
        assert_eq!(
            opened.err(),
            Some(RecordError::Revision { found, expected })
        );
    }
}

/// A history of entries that often collide: few names, few keys, all verbs of keys.
fn histories() -> impl Strategy<Value = Vec<Command>> {
    let key = 0_u64..4;
    let command = prop_oneof![
        (key.clone(), 0..2).prop_map(|(id, name)| create_key(&format!("k{name}"), id)),
        // Sealed for either name: half of them do not fit.
        (key.clone(), 0..2, 1_u64..4, 2_u32..4).prop_map(|(id, name, revision, version)| {
            let (key_id, name) = (key_id(id), format!("k{name}"));
            let place = Place::key_version(KeyType::Aes256Gcm, key_id, KeyVersion(version), &name);
            Command::RotateKey(RotateKey {
                key_id,
                expected_revision: revision,
                version,
                sealed: record(&place, 1),
            })
        }),
        (key, any::<bool>()).prop_map(|(id, enabled)| {
            let state = match enabled {
                true => KeyState::Enabled,
                false => KeyState::Disabled,
            };
            let key_id = key_id(id);
            Command::SetKeyState(SetKeyState { key_id, state })
        }),
        (0_u8..3, any::<bool>()).prop_map(|(secret, node)| {
            let (role, id) = match node {
                true => (Role::Node, String::new()),
                false => (Role::App, format!("app-{secret}")),
            };
            Command::CreateJoinToken(CreateJoinToken {
                secret_sha256: [secret; 32],
                role,
                id,
                replaces: None,
                expires_ms: 1_040,
            })
        }),
    ];
    prop::collection::vec(command, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // One replica applies everything in one go; the other in pieces, with a snapshot and a reopen
    // between. Mutation: any use of a clock or of the piece's length in apply differs here.
    #[test]
    fn two_replicas_with_the_same_log_are_byte_equal(commands in histories(), cut in 0_usize..60) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let history: Vec<_> = std::iter::once(begin())
            .chain(commands)
            .zip(1..)
            .map(|(command, index)| entry(index, command))
            .collect();
        let (whole, pieces) = history.split_at(cut.min(history.len()));
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bytes = runtime.block_on(async {
            let mut machine = StateMachine::new(open(one.path()));
            apply(&mut machine, history.clone()).await;
            let first = snapshot_bytes(&mut machine).await;

            let mut machine = StateMachine::new(open(two.path()));
            apply(&mut machine, whole.to_vec()).await;
            snapshot_bytes(&mut machine).await;
            drop(machine);
            let mut machine = StateMachine::new(open(two.path()));
            for piece in pieces {
                apply(&mut machine, vec![piece.clone()]).await;
            }
            (first, snapshot_bytes(&mut machine).await)
        });
        prop_assert_eq!(bytes.0, bytes.1);
    }
}
