//! Rust source without its comments and literals, so that checks look at code alone.
//!
//! Not a parser: it knows just enough of the lexical grammar to blank what is not code, and keeps
//! every line and column where it was.

/// Replaces comments and the content of string and character literals by spaces.
pub fn code(text: &str) -> String {
    let mut scanner = Scanner {
        rest: text,
        out: String::with_capacity(text.len()),
    };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.out
}

/// Returns what [`code`] leaves out, line by line: comments and literals, with code blanked.
pub fn comments(text: &str) -> String {
    let code = code(text);
    let pairs = text.chars().zip(code.chars());
    pairs
        .map(|(all, code)| if all == '\n' || all != code { all } else { ' ' })
        .collect()
}

struct Scanner<'a> {
    rest: &'a str,
    out: String,
}

impl Scanner<'_> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some(len) = raw_string(self.rest) {
            self.blank(len);
        } else if self.rest.starts_with('"') {
            self.blank(string(self.rest));
        } else if let Some(len) = character(self.rest) {
            self.blank(len);
        } else {
            self.word();
        }
    }

    /// Keeps one character, or a whole word, so that the `r` of a name begins no raw string.
    fn word(&mut self) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let prefix = ["b\"", "c\""]
            .iter()
            .any(|prefix| self.rest.starts_with(prefix));
        let word = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let len = if prefix { 1 } else { word.max(first) };
        let (kept, rest) = self.rest.split_at(len);
        self.out.push_str(kept);
        self.rest = rest;
    }

    fn blank(&mut self, len: usize) {
        let (blanked, rest) = self.rest.split_at(len);
        self.out
            .extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"]
        .iter()
        .find(|prefix| text.starts_with(**prefix))?;
    let hashes = text[prefix.len()..]
        .chars()
        .take_while(|c| *c == '#')
        .count();
    let start = prefix.len() + hashes;
    if !text[start..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let len = text[start + 1..]
        .find(&end)
        .map(|at| start + 1 + at + end.len());
    Some(len.unwrap_or(text.len()))
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Tells a character literal from a lifetime, which has no closing quote.
fn character(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    if let Some(escaped) = rest.strip_prefix('\\') {
        let first = escaped.chars().next()?.len_utf8();
        return escaped[first..].find('\'').map(|at| 2 + first + at + 1);
    }
    let first = rest.chars().next()?.len_utf8();
    rest[first..].starts_with('\'').then_some(1 + first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(code(text), expected);
        assert_eq!(code(text).chars().count(), text.chars().count());
    }

    #[test]
    fn comments_are_blanked() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check("/// ü\nfn", "     \nfn");
    }

    #[test]
    fn literals_are_blanked() {
        check(r#"a("b \" // c") d"#, r#"a(           ) d"#);
        check(r##"a(r#"b " c"#) d"##, r##"a(          ) d"##);
        check(r#"b"x{" y"#, r#"b     y"#);
        check("'{' 'a", "    'a");
        check(r"'\'' '\u{7F}' x", "              x");
    }

    #[test]
    fn names_and_lifetimes_are_code() {
        check("for<'a> bar\"x\"", "for<'a> bar   ");
        check("r#type", "r#type");
    }

    #[test]
    fn comments_alone_keep_their_place() {
        assert_eq!(comments("let a; // why\nb"), "       // why\n ");
    }
}
