//! Seals: whatever keeps the cluster's root key wrapped while no node runs.
//!
//! Several seals may wrap the same root at once, and any one of them opens it; the wraps are part
//! of the replicated state, the seals' own secrets never are. The `keyring` calls this to begin
//! and to unseal, and drops the root again before it answers.

use envelope::id::ClusterId;

pub use file::FileSeal;
pub use root::RootKey;

mod file;
mod root;
#[cfg(test)]
mod wycheproof;

/// Wraps and unwraps the root key. May block: on a disk, a chip or a custodian.
pub trait Seal: Send + Sync {
    /// Names this seal among others; the same secret has the same name on every node.
    ///
    /// # Errors
    /// The seal cannot be reached.
    fn id(&self) -> Result<SealId, SealError>;

    /// Wraps `root` for `cluster`.
    ///
    /// # Errors
    /// The seal cannot be reached.
    fn wrap(
        &self,
        root: &RootKey,
        cluster: ClusterId,
        created_ms: u64,
    ) -> Result<SealWrap, SealError>;

    /// Opens a wrap that this seal made for `cluster`.
    ///
    /// # Errors
    /// The seal cannot be reached, or the wrap is not its own or was changed.
    fn unwrap(&self, wrap: &SealWrap, cluster: ClusterId) -> Result<RootKey, SealError>;
}

/// The name of a seal: its kind and what tells it from others of that kind. Not secret.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct SealId(String);

impl SealId {
    /// Names a seal of `kind`.
    #[must_use]
    pub fn new(kind: &str, instance: &str) -> Self {
        Self(format!("{kind}:{instance}"))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SealId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The root key, wrapped by one seal: ciphertext, kept in the replicated state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SealWrap {
    /// Which seal opens it.
    pub seal: SealId,
    /// A sealed record of purpose `RootWrap` (docs/format.md).
    pub record: Vec<u8>,
}

/// Why a seal did not wrap or unwrap.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The secret cannot be read or written.
    #[error("the seal's secret {path} cannot be used")]
    File {
        /// Where it is.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may read the secret.
    #[error("the seal's secret {path} has mode {mode:o}; make it 600, owned by the node's user")]
    Mode {
        /// Where it is.
        path: std::path::PathBuf,
        /// The mode found.
        mode: u32,
    },
    /// Not a secret of ours.
    #[error("the seal's secret {path} has {bytes} bytes instead of 32; restore the right file")]
    Length {
        /// Where it is.
        path: std::path::PathBuf,
        /// The length found.
        bytes: u64,
    },
    /// The secret is there already, and overwriting it would lose the cluster.
    #[error("the seal's secret {path} exists already; keep it, or move it away knowingly")]
    Exists {
        /// Where it is.
        path: std::path::PathBuf,
    },
    /// Another seal's wrap, another cluster's, or one that was changed.
    #[error(
        "seal {seal} does not open this wrap of the root key: it belongs to another seal or \
             cluster, or was changed"
    )]
    NotOurs {
        /// The seal that tried.
        seal: SealId,
    },
    /// No seal of this node opens any wrap.
    #[error(
        "no configured seal opens the root key ({tried} tried, {wraps} wraps); restore the \
             seal's secret"
    )]
    NoneFits {
        /// How many seals were tried.
        tried: usize,
        /// How many wraps there are.
        wraps: usize,
    },
    /// A beginning without any seal would be lost at the first stop.
    #[error("no seal is configured; name at least one")]
    NoSeal,
}
