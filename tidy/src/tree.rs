//! The files of the repository, read once for all checks.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 5] = ["target", ".git", "ward-data", "corpus", "artifacts"];

/// A text file.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl File {
    /// Makes a file that exists in a test alone.
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Says whether it is Rust source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Says whether it is a test, a benchmark, an example or a fuzz target, rather than product.
    pub fn is_test(&self) -> bool {
        let test_folders = ["tests/", "benches/", "examples/", "fuzz/"];
        self.path.ends_with("/tests.rs")
            || test_folders
                .iter()
                .any(|folder| self.path.contains(&format!("/{folder}")))
    }

    /// Returns the crate's folder: the first part of the path.
    pub fn folder(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }
}

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    let tidy = Path::new(env!("CARGO_MANIFEST_DIR"));
    tidy.parent().map(Path::to_owned).unwrap_or_default()
}

/// Reads every text file below `root`, sorted by path.
///
/// # Errors
///
/// When a folder or file cannot be read.
pub fn read(root: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    read_folder(root, root, &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() && !FOREIGN.iter().any(|foreign| name == *foreign) {
            read_folder(root, &path, files)?;
        } else if kind.is_file() {
            // What is not UTF-8 is not text, and no check's business.
            if let Ok(text) = String::from_utf8(fs::read(&path)?) {
                let path = path.strip_prefix(root).unwrap_or(&path);
                files.push(File {
                    path: path.to_string_lossy().replace('\\', "/"),
                    text,
                });
            }
        }
    }
    Ok(())
}
