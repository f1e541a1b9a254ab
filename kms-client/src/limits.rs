//! Every bound of this crate, in one place.

use std::time::Duration;

/// The most nodes a client keeps addresses of.
pub const ENDPOINTS_MAX: usize = 64;

/// The largest file of an identity folder that is read.
pub const IDENTITY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// How long a call may take in all, unless the builder says otherwise.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(10);

/// How long one node may take, where another could be asked instead.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// How often a node is asked whether it still hears, while it has a call to answer.
pub const PING_INTERVAL: Duration = Duration::from_millis(500);

/// How long it may take to say so; then its calls are asked of another node. A node whose process
/// stands still or that nothing reaches is left sooner than one that is only slow.
pub const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection and its handshake may take.
pub const CONNECT_MAX: Duration = Duration::from_secs(2);

/// The first pause after every node was tried once; it doubles from there.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(25);

/// The longest pause between two rounds.
pub const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How many answers NOT_LEADER in a row are followed at once.
pub const LEADER_HOPS_MAX: usize = 4;

/// How old the list of nodes may grow before a call has it refreshed.
pub const ENDPOINTS_AGE_MAX: Duration = Duration::from_secs(60);

/// The largest answer that is read: a batch of 1 000 data keys, each with a full context.
pub const ANSWER_BYTES_MAX: usize = 24 * 1024 * 1024;

/// The most entries of one page.
pub const PAGE_SIZE: u32 = 1000;

/// How long a watch may be silent: nodes send a heartbeat every second, which an election may
/// delay by the 1.5 seconds that a node waits for its read barrier.
pub const WATCH_SILENCE_MAX: Duration = Duration::from_millis(2_500);

/// How long one call waits for a containment to be complete.
pub const CONTAINMENT_WAIT_MAX: Duration = Duration::from_secs(1);

/// The most leases a data-key cache holds.
pub const LEASES_MAX: usize = 4096;

/// How many keys whose names are not told may change while a lease is fetched by name; beyond, it
/// is fetched again.
pub const UNNAMED_CHANGES_MAX: usize = 256;

/// How many leases are fetched at once.
pub const LEASE_FETCHES_MAX: usize = 16;

/// How long after a failed fetch the next one begins by itself.
pub const LEASE_RETRY: Duration = Duration::from_millis(250);

/// How often leases that nobody asks for are looked at.
pub const LEASE_SWEEP: Duration = Duration::from_secs(1);

/// How often a long-living client looks at its certificate's dates: a clock that is set right may
/// end all certificates at once.
pub const RENEWAL_CHECK: Duration = Duration::from_secs(1);

/// The longest time between tries to renew a certificate; it doubles up to there.
pub const RENEWAL_RETRY_MAX: Duration = Duration::from_secs(60);

const _: () =
    assert!(PING_INTERVAL.as_millis() + PING_TIMEOUT.as_millis() < ATTEMPT_MAX.as_millis());
const _: () = assert!(CONNECT_MAX.as_millis() < ATTEMPT_MAX.as_millis());
const _: () = assert!(ATTEMPT_MAX.as_millis() < DEADLINE_DEFAULT.as_millis());
const _: () = assert!(CONTAINMENT_WAIT_MAX.as_millis() < ATTEMPT_MAX.as_millis());
const _: () = assert!(BACKOFF_FIRST.as_millis() < BACKOFF_MAX.as_millis());
