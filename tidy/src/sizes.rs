//! Files and functions stay small: hard limits with a ratchet for the exceptions, and a limit for
//! the 95th percentile, so that the whole cannot drift up to the hard limit.

use std::collections::HashMap;

use crate::{Finding, source, tree::File};

/// Most lines of a file.
pub const FILE_LINES_MAX: usize = 600;
/// Most lines of a function, signature and closing brace included.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Most lines of 95 in 100 files.
pub const FILE_LINES_P95: usize = 400;
/// Most lines of 95 in 100 functions.
pub const FUNCTION_LINES_P95: usize = 40;
/// Where the exceptions are listed.
pub const RATCHET: &str = "tidy/ratchet.txt";

/// The size of a file or function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Its lines.
    pub lines: usize,
    /// Its file; for a function `file::name`.
    pub name: String,
    /// The line it begins on.
    pub at: usize,
}

/// Measures every Rust file.
pub fn files(files: &[File]) -> Vec<Size> {
    let rust = files.iter().filter(|file| file.is_rust());
    let size = |file: &File| Size {
        lines: file.text.lines().count(),
        name: file.path.clone(),
        at: 1,
    };
    let mut sizes: Vec<_> = rust.map(size).collect();
    sizes.sort();
    sizes
}

/// Measures every function.
pub fn functions(files: &[File]) -> Vec<Size> {
    let rust = files.iter().filter(|file| file.is_rust());
    let mut sizes: Vec<_> = rust.flat_map(functions_of).collect();
    sizes.sort();
    sizes
}

/// Finds what is too large, and exceptions that are no longer needed as large as they are.
pub fn check(all: &[File]) -> Vec<Finding> {
    let ratchet = all.iter().find(|file| file.path == RATCHET);
    let exceptions = ratchet
        .map(|file| exceptions(&file.text))
        .unwrap_or_default();
    let mut findings = Vec::new();
    let mut largest: HashMap<String, usize> = HashMap::new();
    for (sizes, max) in [
        (files(all), FILE_LINES_MAX),
        (functions(all), FUNCTION_LINES_MAX),
    ] {
        for size in sizes.into_iter().filter(|size| size.lines > max) {
            let path = size.name.split("::").next().unwrap_or_default();
            let allowed = exceptions.get(&size.name).map_or(max, |(lines, _)| *lines);
            if size.lines > allowed {
                let (name, lines) = (&size.name, size.lines);
                let message = format!(
                    "{name} has {lines} lines, {allowed} are allowed; split it by noun or verb"
                );
                findings.push(Finding::new(path, size.at, message));
            }
            let entry = largest.entry(size.name).or_default();
            *entry = size.lines.max(*entry);
        }
    }
    for (name, (lines, at)) in exceptions {
        let now = largest.get(&name).copied().unwrap_or_default();
        if now < lines {
            let message = match now {
                0 => format!("{name} is within its limit now; remove this line"),
                _ => format!("{name} has {now} lines now; lower this line from {lines}"),
            };
            findings.push(Finding::new(RATCHET, at, message));
        }
    }
    findings
}

/// Returns the size that `percent` in 100 do not exceed.
pub fn percentile(sizes: &[Size], percent: usize) -> usize {
    let rank = (sizes.len() * percent).div_ceil(100).saturating_sub(1);
    sizes.get(rank).map_or(0, |size| size.lines)
}

/// Reads `name lines` a line, `#` begins a comment; the value is lines allowed and the line number.
fn exceptions(text: &str) -> HashMap<String, (usize, usize)> {
    let entry = |(at, line): (usize, &str)| {
        let (name, lines) = line.split('#').next()?.trim().rsplit_once(' ')?;
        Some((name.trim().to_owned(), (lines.parse().ok()?, at + 1)))
    };
    text.lines().enumerate().filter_map(entry).collect()
}

fn functions_of(file: &File) -> Vec<Size> {
    let code = source::code(&file.text);
    let mut sizes = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let name = code[start + 3..]
            .split(|c| !is_word(c))
            .next()
            .unwrap_or_default();
        let is_keyword = !code[..start].chars().next_back().is_some_and(is_word);
        let Some(end) = body_end(&code[start..]).filter(|_| is_keyword && !name.is_empty()) else {
            continue;
        };
        let at = code[..start].matches('\n').count() + 1;
        let lines = code[start..start + end].matches('\n').count() + 1;
        sizes.push(Size {
            lines,
            name: format!("{}::{name}", file.path),
            at,
        });
    }
    sizes
}

/// Returns where the function that begins here ends; `None` for one without a body.
fn body_end(code: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut nested = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            // A `;` or `{` inside of `(…)` or `[…]` belongs to a type, such as `[u8; 4]`.
            '(' | '[' => nested += 1,
            ')' | ']' => nested = nested.saturating_sub(1),
            ';' if depth == 0 && nested == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && nested == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!(
            "fn long(a: [u8; 4]) {{\n{}}}\n",
            "    a();\n".repeat(lines - 2)
        )
    }

    #[test]
    fn functions_are_measured_from_signature_to_brace() {
        let text = "//! x\nfn one() {}\n\npub fn two(\n    a: [u8; 4],\n) -> u8 {\n    let s = \"}\";\n    \
            if a { b } else { c }\n}\ntrait T { fn none(&self); }\ntype F = fn (u8);\n";
        let sizes = functions(&[File::new("a.rs", text)]);
        let named: Vec<_> = sizes
            .iter()
            .map(|size| (size.name.as_str(), size.lines))
            .collect();
        assert_eq!(named, [("a.rs::one", 1), ("a.rs::two", 6)]);
        assert_eq!(sizes[1].at, 4);
    }

    #[test]
    fn what_is_too_large_is_found() {
        let fits = File::new("a.rs", &function(FUNCTION_LINES_MAX));
        let function = File::new("b.rs", &function(FUNCTION_LINES_MAX + 1));
        let file = File::new("c.rs", &"\n".repeat(FILE_LINES_MAX + 1));
        assert_eq!(check(&[fits]), []);
        assert_eq!(check(&[function]).len(), 1);
        assert_eq!(check(&[file]).len(), 1);
    }

    #[test]
    fn the_ratchet_only_goes_down() {
        let large = File::new("a.rs", &function(90));
        let ratchet = |text: &str| File::new(RATCHET, text);
        assert_eq!(
            check(&[large.clone(), ratchet("a.rs::long 90 # why\n")]),
            []
        );
        assert_eq!(check(&[large.clone(), ratchet("a.rs::long 89\n")]).len(), 1);
        assert_eq!(check(&[large, ratchet("a.rs::long 91\n")]).len(), 1);
        assert_eq!(check(&[ratchet("a.rs::long 90\n")]).len(), 1);
    }

    #[test]
    fn percentiles() {
        let sizes: Vec<_> = (1..=100)
            .map(|lines| Size {
                lines,
                name: String::new(),
                at: 1,
            })
            .collect();
        assert_eq!((percentile(&sizes, 50), percentile(&sizes, 95)), (50, 95));
        assert_eq!(percentile(&[], 95), 0);
    }
}
