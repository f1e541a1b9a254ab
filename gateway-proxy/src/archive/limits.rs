//! Every limit of the archive, with the relations between them checked when it is compiled.

use std::time::Duration;

use envelope::limits::CHUNK_BYTES;
use envelope::object::{HEADER_MAX, SEALED_CHUNK_BYTES};
use envelope::segment::{FRAGMENT_BYTES_MAX, SIDE_CAR_KEYS_MAX};

use crate::observe::{OPAQUE_BYTES_MAX, PATIENCE};

/// Payload bytes that wait to be sealed.
pub(super) const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Pieces of payload that wait to be sealed.
pub(super) const QUEUE_PIECES_MAX: usize = 65_536;

/// Flows that are open, or closed and not yet written.
pub(super) const QUEUE_FLOWS_MAX: usize = 100_000;

/// From so many waiting bytes on, the archive's thread is woken; below, it looks by itself, so that
/// a data thread makes no system call to record.
pub(super) const QUEUE_WAKE_BYTES: usize = 1024 * 1024;

/// Longest piece of payload in the queue; what is recorded at once is split.
pub(super) const PIECE_BYTES_MAX: usize = 256 * 1024;

/// How long bytes wait for a data key before they become a gap.
pub(super) const KEY_PATIENCE: Duration = Duration::from_secs(5);

/// Longest time between an entry and its commit.
pub(super) const COMMIT_INTERVAL: Duration = Duration::from_millis(50);

/// So many bytes of entries are committed at once, without waiting for the interval.
pub(super) const COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// So many bytes of entries are written ahead of the commit.
pub(super) const WRITE_BYTES: usize = 1024 * 1024;

/// A segment that has grown beyond this is followed by another.
pub(super) const SEGMENT_BYTES: u64 = 128 * 1024 * 1024;

/// A segment older than this is followed by another.
pub(super) const SEGMENT_AGE: Duration = Duration::from_secs(3_600);

/// So many new data keys are committed at once: each commit replaces the side-car.
pub(super) const COMMIT_KEYS: usize = 4_096;

/// A segment that got so many new data keys is followed by another, to keep its side-car small.
pub(super) const SEGMENT_KEYS: usize = 8_192;

/// Devices whose wrapped data key is kept at hand.
pub(super) const WRAPPED_MAX: usize = 16_384;

/// So many bytes of an object wait for its label, which is otherwise what is known by then. As many
/// as the sealer of an open object holds.
pub(super) const LABEL_BYTES_MAX: usize = CHUNK_BYTES;

/// How often the thread looks while bytes arrive.
pub(super) const TICK_BUSY: Duration = Duration::from_millis(5);

/// How often the thread looks while flows are open and quiet.
pub(super) const TICK_QUIET: Duration = Duration::from_millis(50);

/// How long to wait before writing to a full or failing disk again.
pub(super) const RETRY: Duration = Duration::from_millis(250);

/// How long a disk that takes nothing is waited for when the gateway stops.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// A gap that goes on is recorded at least this often.
pub(super) const GAP_REPORT: Duration = Duration::from_secs(1);

// A piece, with what the sealer holds of the piece before, makes one fragment.
const _: () = assert!(
    HEADER_MAX + (PIECE_BYTES_MAX / CHUNK_BYTES + 2) * SEALED_CHUNK_BYTES <= FRAGMENT_BYTES_MAX
);
// So does what waited for a label, with the piece that ended the wait.
const _: () = assert!(
    HEADER_MAX + ((LABEL_BYTES_MAX + PIECE_BYTES_MAX) / CHUNK_BYTES + 1) * SEALED_CHUNK_BYTES
        <= FRAGMENT_BYTES_MAX
);
const _: () = assert!(WRITE_BYTES <= COMMIT_BYTES && COMMIT_BYTES < SEGMENT_BYTES as usize);
const _: () = assert!(QUEUE_WAKE_BYTES >= PIECE_BYTES_MAX && QUEUE_BYTES_MAX > QUEUE_WAKE_BYTES);
const _: () = assert!(QUEUE_FLOWS_MAX * 2 + SEGMENT_KEYS + COMMIT_KEYS < SIDE_CAR_KEYS_MAX);
const _: () = assert!(OPAQUE_BYTES_MAX < SEGMENT_BYTES);
// An object is listed within a second after its last byte.
const _: () = assert!(
    PATIENCE.as_millis() + TICK_QUIET.as_millis() * 2 + COMMIT_INTERVAL.as_millis() < 1_000
);
