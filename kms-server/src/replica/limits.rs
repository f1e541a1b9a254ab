//! The named bounds of the replica. The API's own stand in its modules.

/// The largest sealed blob of one record: with its clear fields it stays below the 64 KiB that
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
