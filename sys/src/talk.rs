//! What a process says to whoever started it: lines on standard error that cannot kill it.
//!
//! `eprintln!` panics when the terminal is gone or the disk under a redirection is full. A process
//! that holds keys, or keeps others running, must not end over a sentence.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

/// Says one line, behind everything that was logged before; a standard error that cannot be written
/// is no reason to stop.
pub fn say(line: impl Display) {
    crate::log::flush();
    say_to(&mut io::stderr().lock(), line);
}

/// Says why the process ends, as the one line that users and supervisors read.
pub fn complain(reason: impl Display, why: &(dyn Error + 'static)) {
    say(complaint(reason, &chain(why)));
}

/// The line `error[REASON]: …`: one line, whatever `sentence` is made of.
#[must_use]
pub fn complaint(reason: impl Display, sentence: &str) -> String {
    let words = sentence.split_whitespace().collect::<Vec<_>>();
    format!("error[{reason}]: {}", words.join(" "))
}

/// The whole chain, outermost first; a cause that its parent already quotes is not repeated.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

fn say_to(out: &mut impl Write, line: impl Display) {
    // In one piece, so that lines of several processes do not mix.
    let line = format!("{line}\n");
    match out.write_all(line.as_bytes()) {
        // There is nobody left to tell.
        Ok(()) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_full_disk_and_a_closed_pipe_are_no_panic() {
        say_to(
            &mut OpenOptions::new().write(true).open("/dev/full").unwrap(),
            "x",
        );
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        say_to(&mut writer, "x");
    }

    #[test]
    fn a_complaint_is_one_line_with_every_cause_once() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl Display for Outer {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("cannot\n begin")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let why = chain(&Outer(io::Error::other("no\r\n disk")));
        let line = complaint("STORAGE", &why);
        assert_eq!(line, "error[STORAGE]: cannot begin: no disk");
    }
}
