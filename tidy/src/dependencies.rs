//! Every dependency of the workspace has a line that says why it is there.

use crate::{Finding, tree::File};

const SECTION: &str = "[workspace.dependencies]";

/// Finds dependencies without a reason, and those that no crate uses.
pub fn check(files: &[File]) -> Vec<Finding> {
    let Some(root) = files.iter().find(|file| file.path == "Cargo.toml") else {
        return vec![Finding::new(
            "Cargo.toml",
            1,
            "there is no root manifest; restore it",
        )];
    };
    let manifests: Vec<&File> = files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .collect();
    let mut findings = Vec::new();
    for dependency in dependencies(&root.text) {
        let name = dependency.name;
        let mut found = |message| findings.push(Finding::new(&root.path, dependency.line, message));
        if !dependency.has_reason {
            found(format!(
                "say in a comment above `{name}` what it is needed for"
            ));
        }
        if !manifests.iter().any(|manifest| uses(&manifest.text, name)) {
            found(format!("no crate uses `{name}`; remove it"));
        }
    }
    findings
}

struct Dependency<'a> {
    name: &'a str,
    line: usize,
    has_reason: bool,
}

fn dependencies(root: &str) -> Vec<Dependency<'_>> {
    let section = root
        .lines()
        .enumerate()
        .skip_while(|(_, line)| *line != SECTION)
        .skip(1);
    let mut found = Vec::new();
    let mut has_comment = false;
    for (at, line) in section.take_while(|(_, line)| !line.starts_with('[')) {
        if let Some((name, value)) = line.split_once(" = ") {
            // Our own crates need no reason.
            let has_reason = has_comment || value.contains("path = ");
            found.push(Dependency {
                name,
                line: at + 1,
                has_reason,
            });
        }
        has_comment = line.starts_with("# ");
    }
    found
}

fn uses(manifest: &str, name: &str) -> bool {
    let forms = [
        format!("{name}.workspace"),
        format!("{name} = {{ workspace"),
    ];
    manifest
        .lines()
        .any(|line| forms.iter().any(|form| line.starts_with(form)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(root: &str) -> Vec<String> {
        let user = "[dependencies]\nused.workspace = true\nours.workspace = true\n\
            featured = { workspace = true, features = [] }\n";
        let files = [
            File::new("Cargo.toml", root),
            File::new("a/Cargo.toml", user),
        ];
        let findings = check(&files);
        findings
            .iter()
            .map(|it| format!("{} {}", it.line, it.message))
            .collect()
    }

    #[test]
    fn each_needs_a_comment_of_its_own() {
        let found = messages(
            "[workspace.dependencies]\n# Why.\nused = \"1\"\nfeatured = \"1\"\n\n\
            ours = { path = \"ours\" }\n[profile.dev]\ndebug = 1\n",
        );
        assert_eq!(
            found,
            ["4 say in a comment above `featured` what it is needed for"]
        );
    }

    #[test]
    fn each_is_used_by_some_crate() {
        let found = messages("[workspace.dependencies]\n# Why.\nuse = \"1\"\n");
        assert_eq!(found, ["3 no crate uses `use`; remove it"]);
    }
}
