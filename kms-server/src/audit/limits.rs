//! Every bound of the audit log, in one place.

/// Records waiting for the writer; more callers wait, within their deadlines.
pub(super) const QUEUE_MAX: usize = 4_096;
/// Records made durable by one `fdatasync`.
pub(super) const BATCH_MAX: usize = 1_024;
/// A file is followed by the next when it has reached this size.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of one text field; what is longer is cut and ends in `…`.
pub(super) const FIELD_BYTES_MAX: usize = 256;
/// Bytes that one answer to a reader of the log holds.
pub(crate) const READ_BYTES_MAX: usize = 1 << 20;
/// Checkpoints remembered so that an anchor is compared without reading the file.
pub(super) const CHECKPOINTS_KEPT: usize = 16;
/// Findings of one log that a verification keeps; it counts all.
pub(super) const FINDINGS_MAX: usize = 100;
/// Deciding policies that one record names.
pub(super) const POLICIES_MAX: usize = 8;
/// Bytes of one line, newline included; also what a reader accepts.
pub(super) const LINE_BYTES_MAX: usize = 32 << 10;

// Nine fields and all policies, each byte escaped to six (`\u0000`), and the fixed part fit.
const _: () = assert!((9 + POLICIES_MAX) * (FIELD_BYTES_MAX + 3) * 6 + 1_024 <= LINE_BYTES_MAX);
