//! Opens an archive: lists its objects, reads them with keys from the KMS, checks it.
//!
//! An archive is the folder that a core gateway appends to (docs/format.md, "Archive segment").
//! It can be read while the gateway writes: what is not whole yet is not there yet. Listing and
//! the structural check need no keys; reading an object asks the KMS for its data key.
//!
//! Reads files and writes output without yielding; on a runtime that must not block, call from
//! a blocking thread.

mod fetch;
mod files;
mod gaps;
mod keys;
mod list;
mod object;
mod order;
mod range;
mod reader;
mod structure;
mod verify;
mod walk;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use crate::reason::Reason;
use crate::{Error, Result};

pub use gaps::{GapInfo, Gaps};
pub use keys::DataKeySource;
pub use list::Objects;
pub use object::{Direction, Filter, ObjectInfo};
pub use reader::{SegmentReader, Step};
pub use structure::Structure;
pub use verify::{FAILURES_MAX, Failure, Report};

/// An archive on disk.
///
/// ```no_run
/// # async fn example(client: kms_client::Client) -> kms_client::Result<()> {
/// use kms_client::archive::{Archive, Filter};
///
/// let archive = Archive::open("ward-data")?;
/// for object in archive.list(Filter { device: Some("mon-1".into()) })? {
///     let object = object?;
///     let mut bytes = Vec::new();
///     archive.get(object.object_id, &client, &mut bytes).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// Opens the archive in folder `dir`, or that of the data directory of `ward up`.
    ///
    /// # Errors
    ///
    /// `NOT_INITIALISED` when there is no such folder, or it is neither an archive nor a data
    /// directory; `STORAGE` when it cannot be read. A data directory whose core has archived
    /// nothing yet is an empty archive.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let of_core = dir.join("core").join("archive");
        // What may not be looked at is not missing.
        let there = |path: &Path| match path.try_exists() {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
            there => there.map_err(|error| files::unreadable(path, error)),
        };
        let [seal, cluster, lock] = ["seal", "cluster.toml", "lock"].map(|name| dir.join(name));
        if there(&of_core)? || there(&seal)? || there(&cluster)? {
            return Ok(Self { dir: of_core });
        }
        let has_lock = there(&lock)?;
        if dir.is_dir() && (has_lock || !files::segments(dir)?.is_empty()) {
            let dir = dir.to_owned();
            return Ok(Self { dir });
        }
        let message = format!(
            "no archive at {}: name the data directory of `ward up`, or an archive's folder",
            dir.display()
        );
        Err(Error::new(Reason::NotInitialised, message))
    }

    /// Lists the objects that have ended, oldest first.
    ///
    /// # Errors
    ///
    /// `STORAGE` when the folder cannot be read. The iterator answers an error for each damaged
    /// place and goes on behind it.
    pub fn list(&self, filter: Filter) -> Result<Objects> {
        Objects::new(&self.dir, filter)
    }

    /// Lists the gaps, in the order they were recorded.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub fn gaps(&self) -> Result<Gaps> {
        Gaps::new(&self.dir)
    }
}
