//! The file seal: a 32-byte secret in a file that only the node's user can read.
//! The weakest seal, named as such: whoever copies the file and a node's disk has the keys.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use envelope::id::ClusterId;
use envelope::secret::SecretKey;

use super::{RootKey, Seal, SealError, SealId, SealWrap};

/// A seal whose secret is a file. The secret is read for each use and dropped after it.
#[derive(Clone, Debug)]
pub struct FileSeal {
    path: PathBuf,
}

impl FileSeal {
    /// Makes a new secret at `path`, mode 0600.
    ///
    /// # Errors
    /// [`SealError::Exists`] where a file is: overwriting a secret loses a cluster.
    pub fn create(path: &Path) -> Result<Self, SealError> {
        let seal = Self {
            path: path.to_owned(),
        };
        let exists = path.try_exists().map_err(|source| seal.failed(source))?;
        if exists {
            return Err(SealError::Exists {
                path: path.to_owned(),
            });
        }
        sys::file::write_atomic(path, SecretKey::generate().expose(), MODE)
            .map_err(|source| seal.failed(source))?;
        Ok(seal)
    }

    /// Uses the secret at `path`, after checking that it is one and that nobody else may read it.
    ///
    /// # Errors
    /// The file is missing, readable by others, or no secret.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let seal = Self {
            path: path.to_owned(),
        };
        seal.secret()?;
        Ok(seal)
    }

    /// Reads the secret. Mode and length are those of the open file, not of a name that may move.
    fn secret(&self) -> Result<SecretKey, SealError> {
        let failed = |source| self.failed(source);
        let mut file = File::open(&self.path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SealError::Mode {
                path: self.path.clone(),
                mode,
            });
        }
        let bytes = metadata.len();
        if !metadata.is_file() || bytes != SecretKey::BYTES as u64 {
            return Err(SealError::Length {
                path: self.path.clone(),
                bytes,
            });
        }
        let mut secret = zeroize::Zeroizing::new([0; SecretKey::BYTES]);
        file.read_exact(secret.as_mut_slice()).map_err(failed)?;
        SecretKey::from_slice(secret.as_slice()).map_err(|_| SealError::Length {
            path: self.path.clone(),
            bytes,
        })
    }

    fn failed(&self, source: io::Error) -> SealError {
        SealError::File {
            path: self.path.clone(),
            source,
        }
    }
}

impl Seal for FileSeal {
    fn id(&self) -> Result<SealId, SealError> {
        Ok(id_of(&self.secret()?))
    }

    fn wrap(
        &self,
        root: &RootKey,
        cluster: ClusterId,
        created_ms: u64,
    ) -> Result<SealWrap, SealError> {
        let secret = self.secret()?;
        Ok(root.wrap(id_of(&secret), &secret, cluster, created_ms))
    }

    fn unwrap(&self, wrap: &SealWrap, cluster: ClusterId) -> Result<RootKey, SealError> {
        let secret = self.secret()?;
        RootKey::unwrap(&id_of(&secret), &secret, wrap, cluster)
    }
}

/// Names a secret by a one-way fingerprint, so that a node finds its wrap among many.
fn id_of(secret: &SecretKey) -> SealId {
    let tag = hmac_sha256(secret.expose(), b"ward/seal/file/id/v1");
    SealId::new("file", &hex::encode(&tag.as_ref()[..8]))
}

pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> ring::hmac::Tag {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    ring::hmac::sign(&key, message)
}

const MODE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cluster(byte: u8) -> ClusterId {
        ClusterId::from_bytes([byte; 16])
    }

    #[test]
    fn what_a_seal_wraps_it_unwraps_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root");
        let root = RootKey::generate();
        let wrap = FileSeal::create(&path)
            .unwrap()
            .wrap(&root, cluster(1), 5)
            .unwrap();

        let opened = FileSeal::open(&path)
            .unwrap()
            .unwrap(&wrap, cluster(1))
            .unwrap();

        assert_eq!(opened.secret().expose(), root.secret().expose());
        let plain = root.secret().expose();
        assert!(!wrap.record.windows(32).any(|window| window == plain));
    }

    #[test]
    fn two_seals_wrap_the_same_root() {
        let dir = tempfile::tempdir().unwrap();
        let first = FileSeal::create(&dir.path().join("a")).unwrap();
        let second = FileSeal::create(&dir.path().join("b")).unwrap();
        let root = RootKey::generate();
        for seal in [&first, &second] {
            let wrap = seal.wrap(&root, cluster(1), 0).unwrap();
            let opened = seal.unwrap(&wrap, cluster(1)).unwrap();
            assert_eq!(opened.secret().expose(), root.secret().expose());
        }
        assert_ne!(first.id().unwrap(), second.id().unwrap());
    }

    #[test]
    fn another_seal_another_cluster_and_a_changed_wrap_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let seal = FileSeal::create(&dir.path().join("a")).unwrap();
        let other = FileSeal::create(&dir.path().join("b")).unwrap();
        let wrap = seal.wrap(&RootKey::generate(), cluster(1), 0).unwrap();
        let refused = |result: Result<RootKey, SealError>| {
            assert!(matches!(result, Err(SealError::NotOurs { .. })));
        };
        refused(other.unwrap(&wrap, cluster(1)));
        refused(seal.unwrap(&wrap, cluster(2)));
        for place in [0, 60, wrap.record.len() - 1] {
            let mut changed = wrap.clone();
            changed.record[place] ^= 1;
            refused(seal.unwrap(&changed, cluster(1)));
        }
    }

    #[test]
    fn a_secret_is_private_whole_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root");
        FileSeal::create(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(matches!(
            FileSeal::create(&path),
            Err(SealError::Exists { .. })
        ));

        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            FileSeal::open(&path),
            Err(SealError::Mode { mode: 0o640, .. })
        ));

        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [7; 31]).unwrap();
        assert!(matches!(
            FileSeal::open(&path),
            Err(SealError::Length { bytes: 31, .. })
        ));

        std::fs::remove_file(&path).unwrap();
        assert!(matches!(FileSeal::open(&path), Err(SealError::File { .. })));
    }
}
