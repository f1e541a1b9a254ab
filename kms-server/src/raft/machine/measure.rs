//! Figures of a large state, for people:
//! `KEYS=1000000 cargo test --release -p kms-server large_state -- --ignored --nocapture`.

use std::sync::Arc;

use envelope::id::{KeyId, KeyVersion};
use openraft::alias::SnapshotMetaOf;
use ring::digest::{SHA256, digest};

use super::Core;
use super::tests::{log_id, open};
use crate::command::Outcome;
use crate::command::testing::record;
use crate::keyring::Place;
use crate::raft::TypeConfig;
use crate::raft::snapshot::{Shelf, SnapshotWriter};
use crate::state::{
    FORMAT_VERSION, IDEMPOTENCY_KEPT_MS, IdempotencyRecord, Index, KeyRecord, KeyState, KeyType,
    Record, RecordId, Sealed, VersionRecord,
};

/// What CreateKey leaves of a key, ids as scattered as real ones.
fn key(number: u64) -> [(RecordId, Record); 5] {
    let hash: [u8; 32] = digest(&SHA256, &number.to_be_bytes())
        .as_ref()
        .try_into()
        .unwrap();
    let key_id = KeyId::from_bytes(hash[..16].try_into().unwrap());
    let name = format!("many/{number:08}");
    let sealed = Sealed {
        revision: 1,
        record: record(
            &Place::key_version(KeyType::Aes256Gcm, key_id, KeyVersion(1), &name),
            1,
        ),
    };
    let expires_ms = number + IDEMPOTENCY_KEPT_MS;
    let first = KeyRecord {
        key_id,
        name: name.clone(),
        state: KeyState::Enabled,
        primary: 1,
        revision: 1,
        epoch: 1,
        created_ms: number,
    };
    let version = VersionRecord {
        version: 1,
        state: KeyState::Enabled,
        created_ms: number,
        sealed,
    };
    let answer = IdempotencyRecord {
        request_sha256: hash,
        index: number,
        outcome: Outcome::KeyCreated { key_id },
        expires_ms,
    };
    [
        (RecordId::Key(key_id), Record::Key(first)),
        (RecordId::KeyVersion(key_id, 1), Record::KeyVersion(version)),
        (RecordId::KeyName(name), Record::KeyName(key_id)),
        (RecordId::Idempotency(hash), Record::Idempotency(answer)),
        (
            RecordId::IdempotencyExpiry(expires_ms, hash),
            Record::IdempotencyExpiry,
        ),
    ]
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() / 1_024
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = sys::clock::monotonic();
    let made = work();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{what:<40} {seconds:>7.2} s, {:>5} MiB resident",
        resident_mib()
    );
    made
}

#[test]
#[ignore = "a measurement, not a check: it depends on the machine"]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that people run has no other way to be told the size"
)]
fn large_state() {
    let keys = std::env::var("KEYS").map_or(100_000, |keys| keys.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let meta = SnapshotMetaOf::<TypeConfig> {
        last_log_id: Some(log_id(keys)),
        ..SnapshotMetaOf::<TypeConfig>::default()
    };
    let index = timed("records made", || {
        let mut index = Index::default();
        for (id, record) in (0..keys).flat_map(key) {
            index.put(id, Some(record));
        }
        index
    });
    println!("{} records of {keys} keys", index.range_after(None).count());
    let (shelf, _) = Shelf::open(&dir.path().join("snapshots")).unwrap();
    let file = timed("snapshot written", || {
        let mut writer =
            SnapshotWriter::begin(shelf.begin().unwrap(), FORMAT_VERSION, &meta).unwrap();
        for (id, record) in index.range_after(None) {
            writer.record(id, record).unwrap();
        }
        writer.finish().unwrap().finish().unwrap()
    });
    shelf.keep(&meta, &file).unwrap();
    drop((index, shelf));
    let core: Arc<Core> = timed("opened", || open(dir.path()));
    let snapshot = core.shelf.current().unwrap().snapshot;
    timed("snapshot installed", || {
        core.install(&meta, &snapshot).unwrap()
    });
    timed("flushed", || core.flush().unwrap());
    drop((core, snapshot));
    drop(timed("opened again", || open(dir.path())));
}
