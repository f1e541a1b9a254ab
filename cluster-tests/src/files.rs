//! The files below a folder, and one that may be left from before.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Every file below `folder`, at any depth; sockets and the like are none.
///
/// # Panics
/// When a folder cannot be read.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(below(&path)),
            false if path.is_file() => found.push(path),
            false => {}
        }
    }
    found
}

/// Removes a file, or a socket, that need not be there.
///
/// # Panics
/// When it stays.
pub fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => panic!("cannot remove {}: {error}", path.display()),
    }
}
