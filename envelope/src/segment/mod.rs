//! Archive segments and their side-cars: what the core gateway writes and the client library
//! reads (docs/format.md, "Archive segment").
//!
//! ```text
//! <sequence>.seg    header ‖ entry ‖ entry ‖ …        append-only; a torn tail is cut off
//! <sequence>.keys   the wrapped data keys of every object that has a fragment in that segment
//!
//! fragment    object bytes, in order; the fragments of different objects interleave,
//!             and an object may go on in the next segment
//! flow        opened, carried into this segment, or closed
//! gap         bytes that were forwarded and not kept
//! mark        the moment of a group commit
//! ```
//!
//! The fragments of one object, joined, are exactly the object of [`crate::object`]. A checksum
//! finds a torn tail; only the object's own encryption proves that nobody changed it.

mod body;
mod entry;
mod header;
mod side_car;

pub use body::{
    CloseCause, FlowClosed, FlowOpened, Gap, GapCause, Mark, Range, TRAILER_BYTES, Trailer,
    UNKNOWN_OFFSET,
};
pub use entry::{
    CHECKSUM_BYTES, ENTRY_HEADER_BYTES, Entry, EntryHeader, EntryKind, Flags, Fragment, append,
    append_fragment, checksum, decode,
};
pub use header::{SEGMENT_HEADER_BYTES, SegmentHeader};
pub use side_car::{SideCar, SideCarKey};

/// Most object bytes of one fragment: 256 KiB of plaintext sealed, and the object's header.
pub const FRAGMENT_BYTES_MAX: usize = (256 + 64) * 1024;

/// Longest body of any entry: a fragment with its trailer.
pub const BODY_BYTES_MAX: usize = FRAGMENT_BYTES_MAX + TRAILER_BYTES;

/// Longest text in a flow entry or a gap.
pub const TEXT_BYTES_MAX: usize = 256;

/// Most data keys in one side-car; the writer starts another segment long before.
pub const SIDE_CAR_KEYS_MAX: usize = 262_144;

/// Largest side-car that is read.
pub const SIDE_CAR_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Gives the file name of the segment with this number; names sort in the order of writing.
#[must_use]
pub fn segment_name(sequence: u64) -> String {
    format!("{sequence:016x}.seg")
}

/// Gives the file name of the side-car of the segment with this number.
#[must_use]
pub fn side_car_name(sequence: u64) -> String {
    format!("{sequence:016x}.keys")
}

/// Reads the number out of a segment's file name; `None` for any other file.
#[must_use]
pub fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let sequence = u64::from_str_radix(digits, 16).ok()?;
    (segment_name(sequence) == name).then_some(sequence)
}

#[cfg(test)]
mod tests;
