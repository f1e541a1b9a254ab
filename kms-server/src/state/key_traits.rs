//! What kind of key a key is, and which of its versions may still be used: kept beside the key's
//! record by those that differ from the common case, an AES-256-GCM key all of whose versions are
//! good.

use envelope::signature::Algorithm;
use serde::{Deserialize, Serialize};

/// The type of a key, fixed when it is made. New variants go to the end: their numbers are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyType {
    /// Encrypts and decrypts.
    #[default]
    Aes256Gcm,
    /// Makes and verifies message authentication codes.
    HmacSha256,
    /// Signs and verifies.
    Ed25519,
    /// Signs and verifies.
    EcdsaP256,
}

/// What a key is for; its type decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsage {
    /// Encrypt, Decrypt, ReEncrypt, data keys.
    EncryptDecrypt,
    /// GenerateMac, VerifyMac.
    Mac,
    /// Sign, Verify, GetPublicKey.
    SignVerify,
}

impl KeyType {
    /// What a key of this type is for, and nothing else.
    #[must_use]
    pub const fn usage(self) -> KeyUsage {
        match self {
            Self::Aes256Gcm => KeyUsage::EncryptDecrypt,
            Self::HmacSha256 => KeyUsage::Mac,
            Self::Ed25519 | Self::EcdsaP256 => KeyUsage::SignVerify,
        }
    }

    /// How it signs, if it does.
    #[must_use]
    pub const fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Ed25519 => Some(Algorithm::Ed25519),
            Self::EcdsaP256 => Some(Algorithm::EcdsaP256),
            Self::Aes256Gcm | Self::HmacSha256 => None,
        }
    }
}

impl KeyUsage {
    /// The usage in the words of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "encrypting and decrypting",
            Self::Mac => "message authentication codes",
            Self::SignVerify => "signing and verifying",
        }
    }
}

/// What a key has beside its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTraits {
    /// Never changes.
    pub key_type: KeyType,
    /// The lowest version that may make something new; at least the next one.
    pub minimum_encrypt: u32,
    /// The lowest version that may be used at all; at least 1.
    pub minimum_decrypt: u32,
}

impl KeyTraits {
    /// What a new key of this type has.
    #[must_use]
    pub const fn of(key_type: KeyType) -> Self {
        Self {
            key_type,
            minimum_encrypt: 1,
            minimum_decrypt: 1,
        }
    }
}

impl Default for KeyTraits {
    /// What a key has of which nothing is stored.
    fn default() -> Self {
        Self::of(KeyType::default())
    }
}
