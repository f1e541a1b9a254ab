//! Every Rust file opens with `//!`: what it does and who calls it. `ls` is the table of contents.

use crate::{Finding, tree::File};

/// Finds files that do not say what they are.
pub fn check(files: &[File]) -> Vec<Finding> {
    let silent = files
        .iter()
        .filter(|file| file.is_rust() && !opens_with_doc(&file.text));
    let message = "open the file with `//!` and a sentence: what it does, and who calls it";
    silent
        .map(|file| Finding::new(&file.path, 1, message))
        .collect()
}

fn opens_with_doc(text: &str) -> bool {
    let mut words = text.lines().next().unwrap_or_default().split_whitespace();
    let placeholder = ["placeholder", "todo", "tbd"];
    words.next() == Some("//!")
        && words.next().is_some_and(|word| {
            let word = word.trim_end_matches(['.', ':']).to_lowercase();
            !placeholder.contains(&word.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str) -> usize {
        check(&[File::new("a/src/lib.rs", text)]).len()
    }

    #[test]
    fn a_sentence_is_demanded() {
        assert_eq!(check_one("//! Does something.\n"), 0);
        for silent in [
            "",
            "use std::fs;\n",
            "//!\n",
            "//! Placeholder.\n",
            "// Not a doc.\n",
        ] {
            assert_eq!(check_one(silent), 1, "{silent:?}");
        }
    }
}
