//! The repository checks itself: `cargo test -p tidy`, and so every run of the tests.
//!
//! Each module is one check. It takes the files of the repository and returns its findings; every
//! finding says where it is and how to mend it. `tests/tidy.rs` runs them over the repository, and
//! each module's own tests over planted mistakes.

pub mod dependencies;
pub mod headers;
pub mod imports;
pub mod lines;
pub mod links;
pub mod sizes;
pub mod source;
pub mod tree;
pub mod unfinished;

use std::fmt;

/// Something that must be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the root.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Finding {
    /// Makes a finding.
    pub fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}
