//! The node's signing key for checkpoints, and what is signed with it.
//!
//! An Ed25519 key in a file of its owner alone, beside the log's directory and not in it: whoever
//! may read the log need not be able to sign. It lies outside the seal, since a sealed node keeps
//! a log too. Its public key is bound to the node by the node's certificate key
//! ([`super::binding`]).

use std::io;
use std::path::Path;
use std::sync::Arc;

use envelope::id::ClusterId;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::AuditError;

/// Whose log it is; part of everything that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogName {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The N of `node-N`.
    pub node: u64,
}

/// An Ed25519 public key.
pub type PublicKey = [u8; 32];

impl LogName {
    /// What a signature is over: a word for its purpose, whose it is, and `content`.
    pub(super) fn statement(&self, purpose: &[u8], content: &[u8]) -> Vec<u8> {
        let parts: [&[u8]; 4] = [
            purpose,
            self.cluster_id.as_bytes(),
            &self.node.to_be_bytes(),
            content,
        ];
        parts.concat()
    }

    /// Whether `signature` is that of a checkpoint line of this log by this key; `signed` is the
    /// line up to its signature.
    #[must_use]
    pub(super) fn verify_checkpoint(
        &self,
        key: &PublicKey,
        signed: &[u8],
        signature: &[u8],
    ) -> bool {
        let statement = self.statement(CHECKPOINT, signed);
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&statement, signature)
            .is_ok()
    }
}

/// The key of one node's log.
pub(super) struct CheckpointKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
    name: LogName,
}

impl CheckpointKey {
    /// Reads the key at `path`, or makes it.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds no such key.
    pub(super) fn open(path: &Path, name: LogName) -> Result<Self, AuditError> {
        let failed = |error| AuditError::Key(Arc::new(error));
        let pkcs8 = match std::fs::read(path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8)
            .map_err(|rejected| failed(io::Error::other(rejected.to_string())))?;
        let public = pair.public_key().as_ref();
        let public = public.try_into().expect("Ed25519 public keys are 32 bytes");
        Ok(Self { pair, public, name })
    }

    /// Its public half.
    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a checkpoint line, given up to its signature.
    pub(super) fn sign_checkpoint(&self, signed: &[u8]) -> Vec<u8> {
        let statement = self.name.statement(CHECKPOINT, signed);
        self.pair.sign(&statement).as_ref().to_vec()
    }
}

fn make(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| io::Error::other("the operating system has no randomness to give"))?;
    let pkcs8 = Zeroizing::new(made.as_ref().to_vec());
    sys::file::write_atomic(path, &pkcs8, 0o600)?;
    Ok(pkcs8)
}

const CHECKPOINT: &[u8] = b"ward/audit/checkpoint/v1\0";
