//! `genesis.bin`: the first command of a cluster, from `init` until the first `run` applied it.

use std::io;

use crate::command::Genesis;
use crate::node::NodeError;
use crate::node::error::file_error;
use crate::node::layout::Layout;

/// Writes it, durably.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn store(layout: &Layout, genesis: &Genesis) -> Result<(), NodeError> {
    let path = layout.genesis();
    let bytes = postcard::to_stdvec(genesis).map_err(io::Error::other);
    bytes
        .and_then(|bytes| sys::file::write_atomic(&path, &bytes, 0o600))
        .map_err(|error| file_error(path, "cannot be written", error))
}

/// Reads it; none when it was applied already, or this node is not the first.
///
/// # Errors
/// When it is unreadable or damaged.
pub(crate) fn load(layout: &Layout) -> Result<Option<Genesis>, NodeError> {
    let path = layout.genesis();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(path, "cannot be read", error)),
    };
    let genesis = postcard::from_bytes(&bytes).map_err(io::Error::other);
    genesis
        .map(Some)
        .map_err(|error| file_error(path, "is damaged; initialise anew", error))
}

/// Removes it, once it is applied.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn remove(layout: &Layout) -> Result<(), NodeError> {
    let path = layout.genesis();
    std::fs::remove_file(&path)
        .and_then(|()| sys::file::sync_dir(layout.root()))
        .map_err(|error| file_error(path, "cannot be removed", error))
}
