//! The file that says "everything is up": for scripts that wait.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::plan::Plan;
use crate::error::{Failure, Reason};

/// Where the file will be; it does not exist before everything is up.
pub(crate) struct ReadyFile {
    path: PathBuf,
}

/// What the file holds, as JSON.
#[derive(Serialize)]
struct Content<'a> {
    pid: u32,
    data_dir: &'a Path,
    routes: Vec<String>,
}

impl ReadyFile {
    /// Names the file.
    pub(crate) fn at(path: PathBuf) -> Result<Self, Failure> {
        let file = Self {
            path: std::path::absolute(&path)
                .map_err(|error| Failure::io(format!("cannot use {}", path.display()), &error))?,
        };
        if !file.path.parent().is_some_and(Path::is_dir) {
            let sentence = format!(
                "the folder of {} does not exist: make it first",
                path.display()
            );
            return Err(Failure::new(Reason::INVALID_ARGUMENT, sentence));
        }
        Ok(file)
    }

    /// Writes the file, whole at once.
    pub(crate) fn write(&self, plan: &Plan) -> Result<(), Failure> {
        let content = Content {
            pid: std::process::id(),
            data_dir: plan.layout().root(),
            routes: plan
                .doors()
                .iter()
                .map(|door| door.route.to_string())
                .collect(),
        };
        let text = serde_json::to_string(&content)
            .map_err(|error| Failure::new(Reason::INTERNAL, error.to_string()))?;
        sys::file::write_atomic(&self.path, format!("{text}\n").as_bytes(), 0o644)
            .map_err(|error| Failure::io("the ready file", &error))
    }

    /// Removes the file, where there is one: it would mislead whoever waits.
    pub(crate) fn remove(&self) -> Result<(), Failure> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let what = format!("cannot remove {}", self.path.display());
                Err(Failure::io(what, &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
