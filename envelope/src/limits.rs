//! Every size limit of the formats, with the relations between them checked at compile time.
//!
//! Parsers compare with these before they allocate; callers size their buffers by them.

/// Pairs in an encryption context.
pub const CONTEXT_PAIRS_MAX: usize = 64;
/// Bytes of an encoded encryption context, its count included.
pub const CONTEXT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of plaintext in a ciphertext blob; larger data is an object under a data key.
pub const BLOB_PLAINTEXT_BYTES_MAX: usize = 4096;
/// Bytes of a whole ciphertext blob: 56 header, 32 commitment, plaintext, 16 tag.
pub const BLOB_BYTES_MAX: usize = 56 + 32 + BLOB_PLAINTEXT_BYTES_MAX + 16;
/// Bytes of a record's tree name, and of its record id.
pub const RECORD_NAME_BYTES_MAX: usize = 255;
/// Bytes of a record's clear, authenticated attributes.
pub const RECORD_ATTRIBUTES_BYTES_MAX: usize = 4096;
/// Bytes of plaintext in a sealed record.
pub const RECORD_PLAINTEXT_BYTES_MAX: usize = 48 * 1024;
/// Bytes of plaintext in each chunk of an object but the last.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks of one object (4 PiB of plaintext), the limit of the Cobblestone specification.
pub const CHUNKS_MAX: u64 = 1 << 38;
/// Bytes of the name inside a join token.
pub const TOKEN_ID_BYTES_MAX: usize = 255;
/// Characters of a join token's text.
pub const TOKEN_TEXT_BYTES_MAX: usize = 512;

// A wrapped data key must fit the 16-bit length of a stand-alone stream's header.
const _: () = assert!(BLOB_BYTES_MAX <= u16::MAX as usize);
// A context's keys and values carry 16-bit lengths.
const _: () = assert!(CONTEXT_BYTES_MAX <= u16::MAX as usize);
// The state store keeps values below 64 KiB in its pages; a whole record must stay below that.
const _: () = assert!(
    RECORD_PLAINTEXT_BYTES_MAX + RECORD_ATTRIBUTES_BYTES_MAX + 2 * RECORD_NAME_BYTES_MAX + 256
        < 64 * 1024
);
