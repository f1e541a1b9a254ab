//! Links in the documents lead somewhere: to a file that is there, to a heading that is there.

use std::collections::{HashMap, HashSet};

use crate::{Finding, tree::File};

/// Finds relative links that are dead.
pub fn check(files: &[File]) -> Vec<Finding> {
    let tree = Tree::new(files);
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, link) in links(&file.text) {
            findings.extend(tree.problem(&file.path, link).map(|problem| {
                let message = format!("link `{link}`: {problem}; correct or remove it");
                Finding::new(&file.path, line, message)
            }));
        }
    }
    findings
}

/// What a link can lead to.
struct Tree<'a> {
    /// Every file, and every folder that has one.
    paths: HashSet<&'a str>,
    /// The anchors of each document.
    anchors: HashMap<&'a str, HashSet<String>>,
}

impl<'a> Tree<'a> {
    fn new(files: &'a [File]) -> Self {
        let mut paths = HashSet::new();
        let mut anchors = HashMap::new();
        for file in files {
            let mut path = file.path.as_str();
            paths.insert(path);
            while let Some((folder, _)) = path.rsplit_once('/') {
                paths.insert(folder);
                path = folder;
            }
            if file.path.ends_with(".md") {
                anchors.insert(file.path.as_str(), headings(&file.text));
            }
        }
        Self { paths, anchors }
    }

    fn problem(&self, from: &str, link: &str) -> Option<&'static str> {
        if link.contains("://") || link.starts_with("mailto:") {
            return None;
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let Some(target) = resolve(from, path) else {
            return Some("leads out of the repository");
        };
        if !target.is_empty() && !self.paths.contains(target.as_str()) {
            return Some("there is no such file");
        }
        let known = self.anchors.get(target.as_str());
        let is_dead = !anchor.is_empty() && known.is_some_and(|known| !known.contains(anchor));
        is_dead.then_some("there is no such heading")
    }
}

/// Returns the path that a link in document `from` means.
fn resolve(from: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Finds `](target)` outside of code blocks.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in prose(text) {
        for (start, _) in line.match_indices("](") {
            let target = &line[start + 2..];
            let end = target.find([')', ' ']).unwrap_or(target.len());
            found.push((at, &target[..end]));
        }
    }
    found
}

/// Returns the anchors that headings get: lower case, words joined by `-`.
fn headings(text: &str) -> HashSet<String> {
    let titles = prose(text).filter_map(|(_, line)| line.strip_prefix('#'));
    let anchor = |title: &str| {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(anchor).collect()
}

/// The lines outside of code blocks, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        (!in_block && !is_fence).then_some((at + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> usize {
        let files = [
            File::new("docs/a.md", text),
            File::new("docs/b.md", "# The end: of `b`\n"),
            File::new("src/lib.rs", ""),
        ];
        check(&files).len()
    }

    #[test]
    fn living_links() {
        for link in [
            "b.md",
            "../src",
            "../src/lib.rs",
            "b.md#the-end-of-b",
            "https://x.org/y",
            "#h",
        ] {
            assert_eq!(problems(&format!("# H\n[x]({link})")), 0, "{link}");
        }
        assert_eq!(problems("```\n[x](nothing.md)\n```"), 0);
    }

    #[test]
    fn dead_links() {
        for link in ["c.md", "../../x", "b.md#begin", "#nothing", "lib.rs"] {
            assert_eq!(problems(&format!("see [x]({link}) and")), 1, "{link}");
        }
    }
}
