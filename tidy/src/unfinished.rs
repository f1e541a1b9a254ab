//! Nothing unfinished is committed: no debugging, no `todo`, no test that is ignored without a
//! reason. The issue tracker is the place for what is still to do.

use crate::{Finding, source, tree::File};

/// Macros that are for a work in progress.
const MACROS: [&str; 3] = ["dbg!", "todo!", "unimplemented!"];
/// Words in comments that announce work.
const WORDS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

/// Finds what is not finished.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.is_rust() && file.folder() != "tidy")
    {
        let (code, comments) = (source::code(&file.text), source::comments(&file.text));
        let lines = code.lines().zip(comments.lines()).zip(file.text.lines());
        for (at, ((code, comments), line)) in lines.enumerate() {
            findings.extend(
                message(code, comments, line)
                    .map(|message| Finding::new(&file.path, at + 1, message)),
            );
        }
    }
    findings
}

fn message(code: &str, comments: &str, line: &str) -> Option<String> {
    if let Some(found) = MACROS.iter().find(|it| has_word(code, it)) {
        return Some(format!(
            "`{found}` is for work in progress; finish it or take it out"
        ));
    }
    if let Some(found) = WORDS.iter().find(|it| has_word(comments, it)) {
        return Some(format!(
            "`{found}`: do it, or open an issue and say why it is as it is"
        ));
    }
    if code.contains("#[ignore") && !line.contains("#[ignore = \"") {
        return Some("give the reason: `#[ignore = \"why\"]`, or let the test run".to_owned());
    }
    None
}

/// Says whether `text` has `word`, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_word);
        let behind = text[at + word.len()..].chars().next().is_some_and(is_word);
        !before && (!behind || word.ends_with('!'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str) -> usize {
        check(&[File::new("a/src/lib.rs", text)]).len()
    }

    #[test]
    fn unfinished_code_is_found() {
        for text in [
            "    todo!()",
            "let a = dbg!(b);",
            "unimplemented!(\"later\")",
            "// TODO: later",
            "/* FIXME */",
            "#[ignore]",
            "#[ignore = 7]",
        ] {
            assert_eq!(check_one(text), 1, "{text}");
        }
    }

    #[test]
    fn words_in_names_and_reasons_are_fine() {
        for text in [
            "let TODOS = 1; // the list",
            "my_dbg!(x)",
            "let text = \"todo!()\";",
            "#[ignore = \"needs a disk that fails\"]",
            "// mark the end with XXXX",
        ] {
            assert_eq!(check_one(text), 0, "{text}");
        }
    }
}
