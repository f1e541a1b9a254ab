//! The bounds of a node's listeners and requests, each with its unit last.
//!
//! Nothing that a stranger sends makes the node hold more than what stands here.

use std::time::Duration;

use crate::replica::limits::HAND_OVER_TIMEOUT;

/// Connections of clients at once; one more is closed at once.
pub(crate) const API_CONNECTIONS_MAX: usize = 4_096;
/// Connections of peers at once: a few for each member.
pub(crate) const PEER_CONNECTIONS_MAX: usize = 256;
/// Connections of joiners at once; they are strangers.
pub(crate) const JOIN_CONNECTIONS_MAX: usize = 64;
/// Connections to health and metrics at once.
pub(crate) const OPS_CONNECTIONS_MAX: usize = 64;
/// How long one of them may last: whoever scrapes connects again.
pub(crate) const OPS_CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// How long what the members told for one page of metrics does for others.
pub(crate) const OPS_STATUS_LIFE: Duration = Duration::from_secs(1);
/// Connections of joiners from one address at once.
pub(crate) const JOIN_CONNECTIONS_PER_ADDRESS_MAX: usize = 16;
/// A joiner's connection ends after this, whether or not it ever asked anything.
pub(crate) const JOIN_CONNECTION_AGE_MAX: Duration = Duration::from_secs(10);
/// What a join that is under way then may still take.
pub(crate) const JOIN_CONNECTION_GRACE: Duration = Duration::from_secs(2);
/// TLS handshakes under way at once on one listener; one more is closed at once. A silent one
/// costs a socket and little memory.
pub(crate) const HANDSHAKES_MAX: usize = 1_024;
/// TLS handshakes under way at once from one address.
pub(crate) const HANDSHAKES_PER_ADDRESS_MAX: usize = 64;
/// TLS handshakes a second that one listener begins, averaged: each costs a signature.
pub(crate) const HANDSHAKES_PER_SECOND: u32 = 1_000;
/// A handshake that takes longer is given up.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause of the accept loop when the process has no file descriptor or memory left.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Accepted connections that wait for the gRPC server to take them.
pub(crate) const ACCEPTED_QUEUE_MAX: usize = 64;
/// Not yet accepted connections that the kernel keeps.
pub(crate) const LISTEN_BACKLOG: u32 = 1_024;

/// Requests and streams on one connection at once.
pub(crate) const STREAMS_MAX: u32 = 256;
/// Bytes of all headers of a request; one with more is refused with a reason.
pub(crate) const HEADERS_BYTES_MAX: u32 = 16 * 1_024;
/// Bytes of headers that are read at all: the transport answers 431 to one with more, and nothing
/// else, for it has not kept them.
pub(crate) const HEADERS_BYTES_HARD_MAX: u32 = 32 * 1_024;
/// Streams a client may reset before the server has taken them up.
pub(crate) const RESETS_PENDING_MAX: usize = 32;
/// Silence after which a connection is asked whether it lives.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// No answer for so long closes it.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a client's request: a blob, two contexts of 16 KiB and room.
pub(crate) const REQUEST_BYTES_MAX: usize = 128 * 1_024;
/// Bytes of a batch of uses: so many small values and their contexts.
pub(crate) const BATCH_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of an answer: what gRPC clients accept without being told more.
pub(crate) const RESPONSE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Bytes of a joiner's request: a token, a signing request and three addresses.
pub(crate) const JOIN_REQUEST_BYTES_MAX: usize = 16 * 1_024;
/// Bytes of a peer's message.
pub(crate) const PEER_MESSAGE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// A request that waits longer is answered DEADLINE; a shorter `grpc-timeout` counts.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Requests being worked on at once; one more is answered OVERLOADED.
pub(crate) const REQUESTS_IN_FLIGHT_MAX: usize = 2_048;
/// Requests a second that one identity may make, averaged.
pub(crate) const IDENTITY_REQUESTS_PER_SECOND: u32 = 20_000;
/// Joins a second that the whole listener takes up.
pub(crate) const JOINS_PER_SECOND: u32 = 50;
/// Identities whose rate is remembered.
pub(crate) const RATED_IDENTITIES_MAX: usize = 16_384;

/// Identities whose uses of keys are counted against a quota.
pub(crate) const COUNTED_IDENTITIES_MAX: usize = 16_384;

/// Entries of a page of a list.
pub(crate) const PAGE_ENTRIES_MAX: usize = 1_000;
/// Bytes of them: a key that is rotated often is long. One entry may be more.
pub(crate) const PAGE_BYTES_MAX: usize = RESPONSE_BYTES_MAX / 2;
/// Entries looked at for a page of which perhaps few are kept: keys that have certain labels,
/// aliases that were not deleted.
pub(crate) const PAGE_SCAN_MAX: usize = 10_000;
/// Open watch streams at once.
pub(crate) const WATCHES_MAX: usize = 1_024;
/// Open watch streams of one identity at once.
pub(crate) const WATCHES_PER_IDENTITY_MAX: usize = 16;
/// Open streams of uses at once.
pub(crate) const USE_STREAMS_MAX: usize = 1_024;
/// Open streams of uses of one identity at once.
pub(crate) const USE_STREAMS_PER_IDENTITY_MAX: usize = 16;
/// Uses of one stream that are worked on at once; more are not read.
pub(crate) const USES_PER_STREAM_MAX: usize = 256;
/// A watch stream that has nothing to say says so.
pub(crate) const WATCH_HEARTBEAT: Duration = Duration::from_secs(1);

/// A call that waits for a containment to be complete waits no longer.
pub(crate) const CONTAINMENT_WAIT_MAX: Duration = Duration::from_secs(5);

/// A peer that does not tell its status within this is reported unreachable.
pub(crate) const PEER_STATUS_TIMEOUT: Duration = Duration::from_millis(500);
/// How long requests under way may take when the node stops.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// How long it may take to find another voter and let it lead when the leader stops.
pub(crate) const HANDOVER_DEADLINE: Duration = Duration::from_secs(2);

/// Writes carried out at once, with those whose callers have given up.
pub(crate) const WRITES_IN_FLIGHT_MAX: u32 = 1_024;
/// A write that lost against a concurrent one is sealed and proposed anew so often.
pub(crate) const CONFLICT_RETRIES_MAX: usize = 8;

const _: () = assert!(PAGE_SCAN_MAX > PAGE_ENTRIES_MAX);
const _: () = assert!(JOIN_CONNECTION_AGE_MAX.as_secs() >= REQUEST_DEADLINE.as_secs());
const _: () = assert!(CONTAINMENT_WAIT_MAX.as_secs() < REQUEST_DEADLINE.as_secs());
const _: () = assert!(HANDSHAKES_PER_ADDRESS_MAX < HANDSHAKES_MAX);
const _: () = assert!(REQUEST_BYTES_MAX < RESPONSE_BYTES_MAX);
// Whoever does not answer is waited for once, beside the others, before the heir is told.
const _: () = assert!(
    PEER_STATUS_TIMEOUT.as_millis() + HAND_OVER_TIMEOUT.as_millis() < HANDOVER_DEADLINE.as_millis()
);
const _: () = assert!(HANDSHAKE_TIMEOUT.as_secs() <= REQUEST_DEADLINE.as_secs());
