//! Lines are at most 100 characters, also in comments, which rustfmt leaves alone.

use crate::{Finding, tree::File};

/// Most characters of a line.
pub const COLUMNS_MAX: usize = 100;

/// Finds lines that are too long.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_checked(&file.path)) {
        for (at, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            // A link cannot be broken, and rustfmt does not break a long literal.
            if columns > COLUMNS_MAX && !line.contains("://") && !is_literal(line) {
                let message = format!("{columns} columns; break the line at {COLUMNS_MAX}");
                findings.push(Finding::new(&file.path, at + 1, message));
            }
        }
    }
    findings
}

fn is_checked(path: &str) -> bool {
    let endings = [
        ".rs",
        ".proto",
        ".py",
        ".sh",
        "justfile",
        ".ci/run",
        ".ci/check",
    ];
    endings.iter().any(|ending| path.ends_with(ending))
}

fn is_literal(line: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with("//") && line.contains('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, line: &str) -> usize {
        check(&[File::new(path, line)]).len()
    }

    #[test]
    fn long_comments_are_found() {
        let long = format!("// {}", "x".repeat(98));
        assert_eq!(check_one("a/src/lib.rs", &long), 1);
        assert_eq!(check_one("a/src/lib.rs", &long[1..]), 0);
        assert_eq!(check_one("a/README.md", &long), 0);
    }

    #[test]
    fn links_and_literals_may_be_long() {
        let long = "x".repeat(100);
        assert_eq!(check_one("a.rs", &format!("// https://{long}")), 0);
        assert_eq!(check_one("a.rs", &format!("    \"{long}\",")), 0);
    }
}
