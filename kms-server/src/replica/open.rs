//! Opens what a node has on disk, in the order that keeps it honest: the log, then what may be
//! believed of the applied state, then Raft.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openraft::alias::LogIdOf;
use openraft::errors::Fatal;
use openraft::{Config, SnapshotPolicy};

use super::limits::{
    ELECTION_TIMEOUT_MAX_MS, ELECTION_TIMEOUT_MIN_MS, HEARTBEAT_INTERVAL_MS, LOG_KEPT_DIVISOR,
    LOG_READ_ENTRIES_MAX,
};
use super::{OpenError, ReplicaConfig};
use crate::command::Write;
use crate::raft::{
    BeforeFirst, Core, EngineError, Floor, LogOpened, LogStore, Shelf, SnapshotNewer, Torn,
    TypeConfig,
};
use crate::state::{Applied, FORMAT_VERSION, StateCell, Store};

/// The file in the log's directory that raft-engine locks while it is open.
const LOG_LOCK: &str = "LOCK";

/// How long a replica that was shut down may take to let go of its log.
const FREE_PATIENCE: Duration = Duration::from_secs(5);

/// What was opened, ready to build Raft from.
pub(super) struct OnDisk {
    pub(super) log: LogStore,
    pub(super) core: Arc<Core>,
    pub(super) floor: Floor,
    /// The log lost its end: the node does not vote until it has caught up.
    pub(super) tail_dropped: bool,
}

/// Opens log, state and snapshots. Blocking.
pub(super) fn open(config: &ReplicaConfig) -> Result<OnDisk, OpenError> {
    let log_dir = config.dir.join("log");
    let log = open_log(config, &log_dir)?;
    let floor = Floor::new(&config.dir);
    check_whole(config, &log, &floor)?;

    let snapshots = config.dir.join("snapshots");
    let (shelf, snapshot) =
        Shelf::open(&snapshots).map_err(|error| newer_or_damaged(&snapshots, error))?;
    let (snapshot, mut index) = snapshot.unwrap_or_default();
    let (store, changed) = open_state(&config.dir, &snapshot, log.last, log.purged)?;
    index.put_all(changed);
    let cell = StateCell::new(index, store.applied());
    Ok(OnDisk {
        core: Arc::new(Core::new(store, cell, shelf).knowing(config.format_known)),
        log: log.store,
        floor,
        tail_dropped: log.tail_dropped,
    })
}

/// The settings of Raft.
///
/// A follower stands for election when it has heard nothing for the lease (the maximum) and a
/// random time between minimum and maximum: 450 to 600 ms after the last heartbeat.
pub(super) fn raft_config(snapshot_entries: u64) -> Result<Arc<Config>, OpenError> {
    let config = Config {
        cluster_name: "ward".to_owned(),
        heartbeat_interval: HEARTBEAT_INTERVAL_MS,
        election_timeout_min: ELECTION_TIMEOUT_MIN_MS,
        election_timeout_max: ELECTION_TIMEOUT_MAX_MS,
        max_payload_entries: LOG_READ_ENTRIES_MAX,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(snapshot_entries),
        // A follower that lags further than two snapshots is sent one.
        replication_lag_threshold: snapshot_entries * 2,
        max_in_snapshot_log_to_keep: snapshot_entries / LOG_KEPT_DIVISOR,
        enable_pre_vote: Some(true),
        // A follower that dropped the end of its log is brought up again from the start; without
        // this the leader panics. That nobody votes with a lost log is for the identity file, the
        // floor and the vigil to see to.
        allow_log_reversion: Some(true),
        // A restarted leader asks to be elected: its lease is from before it stopped.
        enable_leader_restore: Some(false),
        backoff: "50ms 100ms 200ms ..500ms".to_owned(),
        ..Config::default()
    };
    let config = config.validate();
    config
        .map(Arc::new)
        .map_err(|error| OpenError::Raft(error.to_string()))
}

/// Why Raft did not start: it applies what was committed, and that may be what this program does
/// not know.
pub(super) fn explain(core: &Core, error: &Fatal<TypeConfig>) -> OpenError {
    match core.found_newer_format() {
        Some(found) => OpenError::Newer {
            path: "the cluster's state".to_owned(),
            found,
            known: core.format_known(),
        },
        None => OpenError::Raft(error.to_string()),
    }
}

fn open_log(config: &ReplicaConfig, dir: &Path) -> Result<LogOpened, OpenError> {
    let mark = config.mark_initialised.clone();
    // A replica of this process that was shut down lets go of it with the last of its tasks.
    sys::file::wait_until_free(&dir.join(LOG_LOCK), FREE_PATIENCE)
        .map_err(|error| damaged_or_io(dir, error))?;
    let before_first: Option<BeforeFirst> = match config.initialised {
        true => None,
        false => Some(Box::new(move || mark())),
    };
    LogStore::open(dir, &Torn::new(&config.dir), before_first).map_err(|error| match error {
        EngineError::Newer(found) => OpenError::Newer {
            path: dir.display().to_string(),
            found,
            known: FORMAT_VERSION,
        },
        EngineError::Damaged(error) => damaged_or_io(dir, error),
    })
}

/// Refuses a log that is known to have held more.
fn check_whole(config: &ReplicaConfig, log: &LogOpened, floor: &Floor) -> Result<(), OpenError> {
    let shortened = |detail: String| OpenError::LogShortened {
        node: config.node_id,
        detail,
    };
    if config.initialised && log.empty {
        return Err(shortened(
            "the node was initialised, its log is empty".into(),
        ));
    }
    let floor = floor
        .load()
        .map_err(|error| damaged_or_io(&config.dir, error))?;
    let last = log.last.map(|last| last.index);
    if floor > last {
        return Err(shortened(format!(
            "it reached index {}, now it ends at {}",
            floor.unwrap_or_default(),
            last.map_or_else(|| "nothing".to_owned(), |last| last.to_string()),
        )));
    }
    Ok(())
}

/// Opens what changed since the snapshot if it may be believed, else deletes it: openraft then
/// applies the log again from there.
fn open_state(
    dir: &Path,
    snapshot: &Applied,
    last: Option<LogIdOf<TypeConfig>>,
    purged: Option<LogIdOf<TypeConfig>>,
) -> Result<(Store, Vec<Write>), OpenError> {
    let state = dir.join("state");
    let boot = dir.join("state.boot");
    let opened = match believable_boot(&boot) {
        true => Store::open(&state, snapshot).and_then(|(store, changed)| {
            let applied = store.applied().log_id;
            // openraft trusts a state that is ahead of its log; one behind the purge mark it
            // could not bring forward.
            match applied <= last.max(snapshot.log_id) && applied >= purged {
                true => Ok((store, changed)),
                false => Err(io::Error::other("it does not fit the log")),
            }
        }),
        false => Err(io::Error::other("the machine was started anew since")),
    };
    let opened = opened.or_else(|doubt| {
        if state.exists() {
            tracing::info!(%doubt, "the applied state is rebuilt");
            std::fs::remove_dir_all(&state)?;
        }
        Store::open(&state, snapshot)
    });
    let opened = opened.map_err(|error| damaged_or_io(&state, error))?;
    if opened.0.applied().log_id < purged {
        return Err(OpenError::Damaged {
            path: dir.join("snapshots").display().to_string(),
            detail: "the snapshot is gone that has what the log has no longer; \
                     set the node's directory aside and join it again"
                .to_owned(),
        });
    }
    // Not when it says so already: on a full disk a node must still start.
    if !believable_boot(&boot) {
        sys::file::write_atomic(&boot, boot_id().as_bytes(), 0o600)
            .map_err(|error| damaged_or_io(&boot, error))?;
    }
    Ok(opened)
}

/// Whether the state was last opened since the machine started: what sled gave to the kernel
/// then, the kernel still has. An unknown boot is never believed.
fn believable_boot(boot: &Path) -> bool {
    let now = boot_id();
    !now.is_empty() && std::fs::read_to_string(boot).is_ok_and(|then| then == now)
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn newer_or_damaged(path: &Path, source: io::Error) -> OpenError {
    match SnapshotNewer::of(&source) {
        Some(SnapshotNewer(found)) => OpenError::Newer {
            path: path.display().to_string(),
            found,
            known: FORMAT_VERSION,
        },
        None => damaged_or_io(path, source),
    }
}

fn damaged_or_io(path: &Path, source: io::Error) -> OpenError {
    let path: PathBuf = path.to_owned();
    let path = path.display().to_string();
    match source.kind() == io::ErrorKind::InvalidData {
        true => OpenError::Damaged {
            path,
            detail: source.to_string(),
        },
        false => OpenError::Io { path, source },
    }
}
