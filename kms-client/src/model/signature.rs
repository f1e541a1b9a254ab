//! Signatures, message authentication codes and public keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::id::{KeyId, KeyVersion};

use super::KeyType;

/// What `sign` answers. The version belongs to it: keep both, `verify` asks for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// As any other program makes and verifies it: 64 bytes for Ed25519, DER for ECDSA P-256.
    pub bytes: Vec<u8>,
    /// How it was signed.
    pub key_type: KeyType,
    /// Which key was used.
    pub key_id: KeyId,
    /// Which version was used.
    pub key_version: KeyVersion,
}

/// What `generate_mac` answers. The version belongs to it: keep both, `verify_mac` asks for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac {
    /// 32 bytes.
    pub bytes: Vec<u8>,
    /// Which key was used.
    pub key_id: KeyId,
    /// Which version was used.
    pub key_version: KeyVersion,
}

/// What `public_key` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// A SubjectPublicKeyInfo in DER.
    pub der: Vec<u8>,
    /// How it signs.
    pub key_type: KeyType,
    /// Which key it belongs to.
    pub key_id: KeyId,
    /// Which version.
    pub key_version: KeyVersion,
}

impl PublicKey {
    /// Writes it as PEM (RFC 7468), as most programs read it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for line in STANDARD.encode(&self.der).as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        pem
    }
}
