//! The folder of one process or identity, owner-only.

use std::path::{Path, PathBuf};

use crate::error::{Failure, Reason};
use crate::output::say;

/// The folder, made and absolute: settings name it, and services are started anywhere.
pub(crate) struct Home {
    root: PathBuf,
}

impl Home {
    /// Makes the folder where it is missing.
    pub(crate) fn create(dir: &Path) -> Result<Self, Failure> {
        sys::file::create_dirs(dir, 0o700)
            .map_err(|error| Failure::io(format!("cannot make {}", dir.display()), &error))?;
        let root = dir
            .canonicalize()
            .map_err(|error| Failure::io(format!("cannot use {}", dir.display()), &error))?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder as the settings name it.
    pub(crate) fn text(&self) -> Result<&str, Failure> {
        self.root.to_str().ok_or_else(|| not_utf8(&self.root))
    }

    /// Writes a settings file unless there is one: what an engineer wrote is never replaced.
    /// Answers whether it was written now.
    pub(crate) fn write_once(&self, path: &Path, text: &str) -> Result<bool, Failure> {
        if path.exists() {
            say(format_args!(
                "{} is there already and used.",
                path.display()
            ));
            return Ok(false);
        }
        self.write(path, text).map(|()| true)
    }

    /// Writes a settings file.
    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        sys::file::write_atomic(path, text.as_bytes(), 0o600)
            .map_err(|error| Failure::io("the settings", &error))
    }
}

/// TOML cannot hold such a path.
pub(crate) fn not_utf8(path: &Path) -> Failure {
    let sentence = format!("{} is not UTF-8: choose another path", path.display());
    Failure::new(Reason::INVALID_ARGUMENT, sentence)
}
