//! The named bounds of the replica. The API's own stand in its modules.

use std::time::Duration;

/// The largest sealed blob of one record: with its clear fields it stays far below the 128 KiB that
/// sled keeps inline.
pub const SEALED_BYTES_MAX: usize = 48 * 1024;

/// The longest `host:port`.
pub const ADDRESS_BYTES_MAX: usize = 262;

/// The longest SubjectPublicKeyInfo; ECDSA P-256 takes 91 bytes.
pub const PUBLIC_KEY_BYTES_MAX: usize = 512;

/// How many public keys an identity may have certificates for at once: its own renewals, and one
/// for each edge gateway that speaks for a device.
pub const IDENTITY_KEYS_MAX: usize = 8;

/// How many expired answers one entry sweeps out: bounded work for each apply, and more than one
/// entry adds, so that a backlog shrinks.
pub const IDEMPOTENCY_SWEEP_MAX: usize = 4;

const _: () = assert!(IDEMPOTENCY_SWEEP_MAX > 1);

/// The size of one file of the Raft log.
pub const LOG_FILE_BYTES: u64 = 32 * 1024 * 1024;

/// The Raft log is compacted once its files take more than this.
pub const LOG_PURGE_BYTES: u64 = 256 * 1024 * 1024;

/// How many of the newest log entries are kept in memory, for replication without disk reads.
pub const LOG_RECENT_ENTRIES_MAX: usize = 4096;

/// How many bytes of them.
pub const LOG_RECENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many entries one read for replication takes.
pub const LOG_READ_ENTRIES_MAX: u64 = 300;

/// How many writes may wait for the log.
pub const LOG_QUEUE_JOBS_MAX: usize = 1024;

/// How many of them share one fdatasync.
pub const LOG_GROUP_JOBS_MAX: usize = 256;

/// How many bytes share one fdatasync.
pub const LOG_GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(LOG_FILE_BYTES < LOG_PURGE_BYTES);
const _: () = assert!((LOG_GROUP_BYTES_MAX as u64) < LOG_FILE_BYTES);

/// sled's cache. Reads are served from the memory index; this only serves writes and loading.
pub const SLED_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How many changes a slow watcher may lag behind before it has to start over.
pub const CHANGES_MAX: usize = 1024;

/// How many entries are applied in one go off the runtime.
pub const APPLY_CHUNK: usize = 64;

/// How many records a snapshot builder takes while it holds the index.
pub const SNAPSHOT_PAGE: usize = 256;

/// The longest record in a snapshot; a longer length is damage.
pub const SNAPSHOT_RECORD_BYTES_MAX: u32 = 1024 * 1024;

/// The longest description of a snapshot (log id, membership).
pub const SNAPSHOT_META_BYTES_MAX: u32 = 64 * 1024;

/// The bytes of a snapshot sent in one message.
pub const SNAPSHOT_CHUNK_BYTES: usize = 256 * 1024;

/// How many bytes of entries one read for replication takes; one entry may be more.
pub const LOG_READ_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The largest message between peers: one read for replication, and an entry beyond it.
pub const PEER_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = assert!(LOG_READ_BYTES_MAX * 2 <= PEER_MESSAGE_BYTES_MAX);
const _: () = assert!(SNAPSHOT_CHUNK_BYTES < PEER_MESSAGE_BYTES_MAX);

/// How long one attempt to connect to a peer may take.
pub const PEER_CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);

/// How often a silent connection to a peer is probed.
pub const PEER_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);

/// How long a probe may go unanswered.
pub const PEER_KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a peer may take to make one batch of entries durable.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one transfer of a snapshot may take.
pub const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(600);

/// How often a leader tells that it leads.
pub const HEARTBEAT_INTERVAL_MS: u64 = 100;

/// The shortest time, beyond the lease, after which a follower stands for election.
pub const ELECTION_TIMEOUT_MIN_MS: u64 = 150;

/// The longest such time, and the leader's lease: three heartbeats may be lost.
pub const ELECTION_TIMEOUT_MAX_MS: u64 = 300;

const _: () = assert!(HEARTBEAT_INTERVAL_MS < ELECTION_TIMEOUT_MIN_MS);
const _: () = assert!(ELECTION_TIMEOUT_MIN_MS < ELECTION_TIMEOUT_MAX_MS);

/// How many entries after a snapshot the next one is taken.
pub const SNAPSHOT_ENTRIES: u64 = 50_000;

/// Which part of as many entries is kept below a snapshot, for followers that are a little behind.
pub const LOG_KEPT_DIVISOR: u64 = 5;

/// How many requests may wait for a read barrier.
pub const BARRIER_QUEUE_MAX: usize = 4_096;

/// A round that so many wait for lets more gather.
pub const BARRIER_CROWD: usize = 8;
/// For so long: timers of the runtime are no finer.
pub const BARRIER_GATHER: Duration = Duration::from_millis(1);

/// How long one attempt to confirm the leader may take.
pub const BARRIER_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(600);

/// How long a round goes on trying, over an election for instance.
pub const BARRIER_ROUND_TIMEOUT: Duration = Duration::from_millis(1_500);

// An election takes at most lease and longest timeout; what is left is for the new leader.
const _: () = assert!(
    BARRIER_ATTEMPT_TIMEOUT.as_millis() as u64 + 2 * ELECTION_TIMEOUT_MAX_MS
        < BARRIER_ROUND_TIMEOUT.as_millis() as u64
);

/// The pause between its attempts.
pub const BARRIER_RETRY: Duration = Duration::from_millis(20);

/// How long a node may take to catch up to a confirmed index.
pub const BARRIER_APPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a write may take to be acknowledged by a quorum and applied.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the membership is looked at when nothing else happens.
pub const MEMBERSHIP_INTERVAL: Duration = Duration::from_millis(250);

/// How long one change of it may take.
pub const MEMBERSHIP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one announcement of this node's addresses may take.
pub const ANNOUNCE_TIMEOUT: Duration = Duration::from_millis(1_000);

/// How long a removal waits for voters to answer before it is refused, and one of them to tell
/// whether this node was removed.
pub const REMOVAL_PATIENCE: Duration = Duration::from_secs(2);

/// How often a leader whose program knows a newer format than the state has asks the others.
pub const FORMAT_INTERVAL: Duration = Duration::from_millis(500);

/// How long one of them may take to tell.
pub const FORMAT_PATIENCE: Duration = Duration::from_secs(1);

/// How long a node hears no leader before it asks whether it was removed.
pub const REMOVED_AFTER_SILENCE: Duration = Duration::from_secs(2);

/// How long a sealed node hears no leader before it stands for election: three times the longest
/// that another voter waits.
pub const SEALED_PATIENCE: Duration = Duration::from_millis(3 * 2 * ELECTION_TIMEOUT_MAX_MS);

/// How often a sealed node looks at that.
pub const SEALED_INTERVAL: Duration = Duration::from_millis(100);

/// How many entries a member may lack and keep up all the same …
pub const LAG_ENTRIES_MAX: u64 = 64;

/// … or it lacks none that is older than this.
pub const LAG_TIME_MAX: Duration = Duration::from_secs(1);

/// How often a leader remembers where its log ended, for that.
pub const LOOK_BACK_INTERVAL: Duration = Duration::from_millis(100);

/// For how long a learner keeps up without a break before it votes, unless the settings say
/// otherwise.
pub const STEADY_TIME: Duration = Duration::from_secs(5);

/// For how long after a cluster began learners vote as soon as they have caught up: it is being
/// built, and its first node alone is no safer than with them.
pub const FOUNDING_TIME: Duration = Duration::from_secs(60);

/// Within which a member must have answered a heartbeat to count as heard: ten of them.
pub const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// How long a new cluster may take to elect its only node, and a leader to hand over.
pub const ELECTION_PATIENCE: Duration = Duration::from_secs(10);

/// How long a hand-over may take before the leader stops anyway: the heir's election, or, where it
/// fails, that of another.
pub const HAND_OVER_TIMEOUT: Duration = Duration::from_millis(1_400);

const _: () = assert!(2 * ELECTION_TIMEOUT_MAX_MS < HAND_OVER_TIMEOUT.as_millis() as u64);

/// How long a transfer waits for its heir to answer before it is refused.
pub const TRANSFER_PATIENCE: Duration = Duration::from_secs(1);

/// How long a node whose log lost its end waits until every voter tells how far its log goes.
/// Beyond it, those that answer have to do (docs/adr/0010-vigil.md).
pub const VIGIL_PATIENCE: Duration = Duration::from_secs(60);

/// How often such a node asks.
pub const VIGIL_INTERVAL: Duration = Duration::from_millis(500);

/// How long closing waits for the log's thread.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Writes are refused when less than this part of the disk is free …
pub const DISK_RESERVE_DIVISOR: u64 = 20;

/// … or less than this, whichever is smaller.
pub const DISK_RESERVE_BYTES_MAX: u64 = 64 * 1024 * 1024;
