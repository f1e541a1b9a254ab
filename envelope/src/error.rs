//! The crate's errors: one for everything that cannot be opened, one for what does not verify, one
//! for malformed input.
//!
//! They are apart on purpose. Whether secret data opens must say nothing about why it did not;
//! what is wrong with a public structure may be said, without ever repeating its bytes.

use thiserror::Error;

/// The one answer to a wrong key, a wrong context, tampering and truncation.
///
/// It carries nothing, so that a caller cannot become an oracle by passing it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot be opened: wrong key or context, or the data was changed")]
pub struct OpenFailed;

/// The one answer to a wrong key, another message and a changed signature or tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("does not verify: another key, version or message, or it was changed")]
pub struct VerifyFailed;

/// Says what is malformed in a structure of ours, and what to do about it.
///
/// `what` names the structure; the bytes themselves never appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The input ends before the structure does.
    #[error("{what} is cut short; fetch it again from its source")]
    Truncated {
        /// The structure being read.
        what: &'static str,
    },
    /// Bytes follow the end of the structure.
    #[error("{what} is followed by bytes that do not belong to it; pass exactly one")]
    TrailingBytes {
        /// The structure being read.
        what: &'static str,
    },
    /// The input does not begin with the magic of the structure.
    #[error("not {what}: the magic bytes differ; check what was passed")]
    Magic {
        /// The structure being read.
        what: &'static str,
    },
    /// A version this Ward does not know.
    #[error("{what} has version {found}, which this ward does not read; upgrade ward")]
    Version {
        /// The structure being read.
        what: &'static str,
        /// The version found.
        found: u8,
    },
    /// A cipher suite this Ward does not know.
    #[error("{what} uses cipher suite {found}, which this ward does not know; upgrade ward")]
    Suite {
        /// The structure being read.
        what: &'static str,
        /// The suite found.
        found: u8,
    },
    /// A field has a value that has no meaning.
    #[error("{what} has an unknown value in its field `{field}`; it was changed or is newer")]
    UnknownValue {
        /// The structure being read.
        what: &'static str,
        /// The field in question.
        field: &'static str,
    },
    /// The structure says the right thing in a form that is not the only allowed one.
    #[error("{what} is not in canonical form; its writer is faulty or it was changed")]
    NotCanonical {
        /// The structure being read.
        what: &'static str,
    },
    /// A text field is not UTF-8.
    #[error("{what} is not UTF-8 text; encode it first")]
    NotUtf8 {
        /// The field in question.
        what: &'static str,
    },
    /// Something is longer than its limit.
    #[error("{what} is longer than the {max} bytes allowed; shorten it")]
    TooLong {
        /// The field or structure in question.
        what: &'static str,
        /// Its limit.
        max: u64,
    },
    /// There is more of something than its limit.
    #[error("more than {max} {what}; use fewer")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// Its limit.
        max: usize,
    },
    /// A context key is given twice.
    #[error("an encryption context names a key twice; name each key once")]
    ContextKeyTwice,
    /// A caller's context key begins with `ward:`.
    #[error("context keys that begin with `ward:` are Ward's own; choose another name")]
    ContextKeyReserved,
    /// A reserved context key does not begin with `ward:`.
    #[error("a reserved context key begins with `ward:`; insert this one as the caller's")]
    ContextKeyNotReserved,
    /// A text or slice is no id.
    #[error("an id is 16 bytes, written as 32 lower-case hexadecimal digits")]
    Id,
    /// A slice is no key.
    #[error("a key is exactly 32 bytes")]
    KeyLength,
    /// The bytes are no private key of the algorithm.
    #[error("a signing key is PKCS#8 of its own algorithm, with its public key")]
    SigningKey,
    /// A point that is no public key.
    #[error("not a public key to wrap for; get new import parameters")]
    PublicKey,
    /// An object's context does not name its own data key.
    #[error("an object's context names its data key under `ward:dk`; insert the same id there")]
    DataKeyNotNamed,
    /// A record names an erase epoch; there is no epoch key to seal it under.
    #[error("erase epochs are not in use yet; seal the record with erase epoch 0")]
    EraseEpoch,
    /// A text is no join token.
    #[error("not a join token; copy the whole text, beginning with `wardj1.`")]
    JoinToken,
}
