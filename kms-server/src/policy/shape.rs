//! How deep and how long a policy's text may be. The parser of Cedar recurses for each level
//! without looking at the stack, and a stack that overflows ends the process: a text that an
//! operator sends must not. Measured here in a test with the stack of a worker thread.

/// Why a text is not handed to the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooComplex {
    /// Brackets in brackets.
    #[error("line {line}: brackets are nested more than {DEPTH_MAX} deep; write several policies")]
    Nested {
        /// Where the limit was passed.
        line: usize,
    },
    /// Operators, of which each may be a level. Clauses are joined, so each is one too.
    #[error(
        "line {line}: an expression has more than {OPERATORS_MAX} operators; write several policies"
    )]
    Long {
        /// Where the limit was passed.
        line: usize,
    },
}

/// Looks at brackets and operators, outside of strings and comments.
///
/// # Errors
/// The first limit that the text passes.
pub(super) fn check(text: &str) -> Result<(), TooComplex> {
    let mut line = 1;
    let (mut depth, mut operators) = (0_usize, 0_usize);
    let mut rest = text.bytes().peekable();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            word.push(byte);
            continue;
        }
        if matches!(
            &word[..],
            b"if" | b"has" | b"like" | b"in" | b"is" | b"when" | b"unless"
        ) {
            operators += 1;
        }
        word.clear();
        match byte {
            b'\n' => line += 1,
            b'"' => line += skip_string(&mut rest),
            b'/' if rest.peek() == Some(&b'/') => {
                while rest.next_if(|byte| *byte != b'\n').is_some() {}
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            // A policy ends.
            b';' => (depth, operators) = (0, 0),
            b'!' | b'-' | b'+' | b'*' | b'&' | b'|' | b'=' | b'<' | b'>' | b'.' => operators += 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(TooComplex::Nested { line });
        }
        if operators > OPERATORS_MAX {
            return Err(TooComplex::Long { line });
        }
    }
    Ok(())
}

/// Skips to the end of a string; answers how many lines it spans.
fn skip_string(rest: &mut impl Iterator<Item = u8>) -> usize {
    let mut lines = 0;
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => break,
            // Whatever comes behind it is no end.
            b'\\' => lines += usize::from(rest.next() == Some(b'\n')),
            b'\n' => lines += 1,
            _ => {}
        }
    }
    lines
}

/// Twice as much passes the test below in a build without optimisation.
const DEPTH_MAX: usize = 20;
/// Of one policy, its clauses, comparisons and attributes included. Twice as many pass it too.
const OPERATORS_MAX: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{PolicyError, PolicySet, PolicyText};

    fn policy(condition: &str) -> String {
        format!("@id(\"deep\")\nforbid(principal, action, resource) when {{ {condition} }};")
    }

    /// Parses what is allowed, be it a policy or not, on half the stack that a worker thread has:
    /// an overflow ends the process of the test.
    fn parse_allowed(text: String) {
        assert_eq!(check(&text), Ok(()), "{text}");
        let _policy_or_not = parsed(text);
    }

    fn parsed(text: String) -> Result<(), PolicyError> {
        let parse = move || {
            let text = PolicyText {
                name: "deep",
                text: &text,
            };
            PolicySet::with(&[text], 1).map(drop)
        };
        let thread = std::thread::Builder::new().stack_size(1 << 20);
        thread.spawn(parse).unwrap().join().unwrap()
    }

    fn nested(open: &str, close: &str, levels: usize) -> String {
        policy(&format!(
            "{}principal == principal{}",
            open.repeat(levels),
            close.repeat(levels)
        ))
    }

    #[test]
    fn what_is_allowed_leaves_half_of_a_worker_s_stack() {
        // One level is the condition's own.
        let levels = DEPTH_MAX - 1;
        for (open, close) in [
            ("(", ")"),
            ("!(", ")"),
            ("(true && ", ")"),
            ("(if true then (", ") else false)"),
            ("[", "].contains(1)"),
        ] {
            let levels = levels / open.matches(['(', '[']).count();
            parse_allowed(nested(open, close, levels));
            let twice = nested(open, close, DEPTH_MAX + 1);
            assert!(matches!(parsed(twice), Err(PolicyError::TooComplex { .. })));
        }
        let longest = |operator: &str| {
            let count = OPERATORS_MAX / operator.trim().len();
            vec!["true"; count].join(operator)
        };
        for operator in [" && ", " || ", " == "] {
            parse_allowed(policy(&longest(operator)));
        }
        // One is the clause's own.
        parse_allowed(policy(&"-".repeat(OPERATORS_MAX - 1)));
        parse_allowed(policy(&format!("{} 1 == 1", "!".repeat(OPERATORS_MAX - 3))));
        let ifs = "if true then true else ".repeat(OPERATORS_MAX - 10);
        parse_allowed(policy(&format!("{ifs} true")));
        let calls = format!("principal{}", ".a".repeat(OPERATORS_MAX - 1));
        parse_allowed(policy(&calls));
    }

    #[test]
    fn each_clause_counts_for_they_are_one_expression() {
        for clause in ["when{true}", "unless{false}"] {
            let clauses = |count: usize| {
                let clauses = clause.repeat(count);
                format!("@id(\"long\")\nforbid(principal, action, resource){clauses};")
            };
            let most = clauses(OPERATORS_MAX);
            assert_eq!(check(&most), Ok(()));
            parsed(most).unwrap();
            let more = clauses(OPERATORS_MAX + 1);
            assert_eq!(check(&more), Err(TooComplex::Long { line: 2 }));
        }
    }

    #[test]
    fn strings_and_comments_are_no_nesting_and_each_policy_is_counted_for_itself() {
        let text =
            policy("\"((((((((((((((((((((((((((\\\"((((((\" == \"x\" // ((((((((((((((((((\n");
        assert_eq!(check(&text), Ok(()));
        let many = policy("1 < 2 || 2 < 3").repeat(1_000);
        assert_eq!(check(&many), Ok(()));
        let deep = format!("\n\n{}", nested("(", ")", DEPTH_MAX));
        assert_eq!(check(&deep), Err(TooComplex::Nested { line: 4 }));
    }
}
