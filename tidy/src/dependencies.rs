//! Every dependency of the workspace has a line that says why it is there.

use crate::{Finding, tree::File};

const SECTION: &str = "[workspace.dependencies]";

/// Finds dependencies without a reason.
pub fn check(files: &[File]) -> Vec<Finding> {
    let Some(manifest) = files.iter().find(|file| file.path == "Cargo.toml") else {
        return vec![Finding::new(
            "Cargo.toml",
            1,
            "there is no root manifest; restore it",
        )];
    };
    let section = manifest
        .text
        .lines()
        .enumerate()
        .skip_while(|(_, line)| *line != SECTION);
    let section = section
        .skip(1)
        .take_while(|(_, line)| !line.starts_with('['));
    let mut findings = Vec::new();
    let mut has_reason = false;
    for (at, line) in section {
        if let Some((name, value)) = line.split_once(" = ") {
            let is_ours = value.contains("path = ");
            if !is_ours && !has_reason {
                let message = format!("say in a comment above `{name}` what it is needed for");
                findings.push(Finding::new(&manifest.path, at + 1, message));
            }
        }
        has_reason = line.starts_with("# ");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_needs_a_comment_of_its_own() {
        let text = "[workspace.dependencies]\n\
            # Why.\n\
            with = \"1\"\n\
            without = \"1\"\n\
            \n\
            ours = { path = \"ours\" }\n\
            [profile.dev]\n\
            debug = 1\n";
        let findings = check(&[File::new("Cargo.toml", text)]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 4);
    }
}
