//! The join token: what a new node, gateway or operator needs to be let in once.
//!
//! ```text
//! "wardj1." ‖ base64url without padding of:
//! version 1 ‖ role 1 ‖ cluster id 16 ‖ expires 8 (ms) ‖ SHA-256 of the CA's public key 32 ‖
//! secret 32 ‖ id (u16 length ‖ bytes)
//! ```
//!
//! The text holds the secret: it is shown once, and has no `Debug`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    FormatError,
    id::ClusterId,
    limits::{TOKEN_ID_BYTES_MAX, TOKEN_TEXT_BYTES_MAX},
    secret::SecretKey,
    wire::{self, Reader},
};

/// What every token begins with.
pub const PREFIX: &str = "wardj1.";

const VERSION: u8 = 1;
const WHAT: &str = "a join token";

/// The numbers of what a token's holder becomes (docs/format.md). Devices have none: their
/// gateways ask for their certificates.
pub mod role {
    /// A node of the cluster.
    pub const NODE: u8 = 1;
    /// A gateway.
    pub const GATEWAY: u8 = 2;
    /// An application.
    pub const APP: u8 = 3;
    /// An operator.
    pub const OPERATOR: u8 = 4;
}

/// A join token, taken apart.
pub struct JoinToken {
    /// The cluster to join.
    pub cluster_id: ClusterId,
    /// What the holder becomes, a number of [`role`].
    pub role: u8,
    /// The name the holder is to have; empty where the cluster gives one.
    pub id: String,
    /// What proves the right to join; the cluster keeps only its hash.
    pub secret: SecretKey,
    /// SHA-256 of the CA's public key (SubjectPublicKeyInfo), so that the holder knows the cluster.
    pub ca_spki_sha256: [u8; 32],
    /// When the token ends, in milliseconds since 1970 UTC.
    pub expires_ms: u64,
}

impl JoinToken {
    /// Writes the token's text, which is as secret as the token.
    ///
    /// # Errors
    ///
    /// Refuses a name of more than 255 bytes.
    pub fn encode(&self) -> Result<Zeroizing<String>, FormatError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(92 + self.id.len()));
        bytes.push(VERSION);
        bytes.push(self.role);
        bytes.extend_from_slice(self.cluster_id.as_bytes());
        bytes.extend_from_slice(&self.expires_ms.to_be_bytes());
        bytes.extend_from_slice(&self.ca_spki_sha256);
        bytes.extend_from_slice(self.secret.expose());
        let id = self.id.as_bytes();
        wire::put_prefixed(&mut bytes, "a join token's name", id, TOKEN_ID_BYTES_MAX)?;
        // Room for all of it, so that growing leaves no copy of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_TEXT_BYTES_MAX));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        Ok(text)
    }

    /// Reads a token's text; space around it is allowed, as people copy it.
    ///
    /// # Errors
    ///
    /// Says that it is no token, or of a newer kind.
    pub fn decode(text: &str) -> Result<Self, FormatError> {
        let text = text.trim();
        if text.len() > TOKEN_TEXT_BYTES_MAX {
            return Err(FormatError::JoinToken);
        }
        let text = text.strip_prefix(PREFIX).ok_or(FormatError::JoinToken)?;
        let mut buffer = Zeroizing::new([0; TOKEN_TEXT_BYTES_MAX]);
        let len = URL_SAFE_NO_PAD
            .decode_slice(text, buffer.as_mut_slice())
            .map_err(|_| FormatError::JoinToken)?;
        Self::read(&buffer[..len])
    }

    fn read(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.version(VERSION)?;
        let role = reader.u8()?;
        let cluster_id = ClusterId::from_bytes(reader.array()?);
        let expires_ms = reader.u64()?;
        let ca_spki_sha256 = reader.array()?;
        let secret = SecretKey::from_slice(reader.bytes(SecretKey::BYTES)?)?;
        let id = reader
            .prefixed_text("a join token's name", TOKEN_ID_BYTES_MAX)?
            .to_owned();
        reader.end()?;
        Ok(Self {
            cluster_id,
            role,
            id,
            secret,
            ca_spki_sha256,
            expires_ms,
        })
    }
}
