//! The lock of a gateway's state folder: one process writes there, and `--check` can tell that it
//! runs.

use std::io;
use std::path::{Path, PathBuf};

use kms_client::Error;
use kms_client::reason::Reason;
use sys::file::Lock;

/// Takes the lock for as long as the gateway lives; `None` when the disk does not even allow that,
/// which is no reason to keep devices waiting.
pub(super) fn take(state_dir: &Path) -> Result<Option<Lock>, Error> {
    let taken =
        sys::file::create_dirs(state_dir, 0o700).and_then(|()| Lock::acquire(&path(state_dir)));
    match taken {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let message = format!(
                "another gateway runs on {} ({error}): stop it, or give each a state_dir of its own",
                state_dir.display()
            );
            Err(Error::new(Reason::Locked, message))
        }
        Err(error) => {
            tracing::warn!(%error, "the state folder cannot be locked; traffic goes on");
            Ok(None)
        }
    }
}

/// Tells whether a gateway runs on this state folder.
#[must_use]
pub fn is_running(state_dir: &Path) -> bool {
    Lock::is_held(&path(state_dir))
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("gateway.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_is_for_one_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert!(!is_running(&state));
        let held = take(&state).unwrap();
        assert!(held.is_some() && is_running(&state));
        assert_eq!(take(&state).unwrap_err().reason(), Reason::Locked);
        drop(held);
        assert!(!is_running(&state));
    }

    #[test]
    fn a_disk_that_allows_no_lock_keeps_no_gateway_from_running() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, b"").unwrap();
        assert!(take(&file.join("state")).unwrap().is_none());
    }
}
