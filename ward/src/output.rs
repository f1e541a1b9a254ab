//! Everything the tool says: data to standard output, talk to standard error.
//!
//! The only place that prints. A reader that went away (`ward key list | head -1`) ends the
//! output quietly; it is no error of a list, and one of a stream (`Stdout`).

use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::error::{Failure, Reason};

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Something a verb answers with: serialised for programs, written out for people.
pub(crate) trait Answer: Serialize {
    /// The text for people; ends with a line feed unless it is empty.
    fn text(&self) -> String;
}

/// Writes one answer in the asked format.
pub(crate) fn answer(format: Format, answer: &impl Answer) -> Result<(), Failure> {
    match format {
        Format::Text => lenient(answer.text().as_bytes()),
        Format::Json => lenient(&json_line(answer)?),
    }
}

/// Writes JSON lines, one for each item as it comes, until the items or the reader end.
pub(crate) fn json_lines<T: Serialize>(
    items: impl IntoIterator<Item = Result<T, Failure>>,
) -> Result<(), Failure> {
    lines(items.into_iter().map(|item| json_line(&item?)))
}

/// Writes a heading and a line for each item as it comes, until the items or the reader end.
pub(crate) fn text_lines(
    heading: &str,
    items: impl IntoIterator<Item = Result<String, Failure>>,
) -> Result<(), Failure> {
    let heading = std::iter::once(Ok(heading.to_owned()));
    let texts = heading.chain(items);
    lines(texts.map(|line| Ok(format!("{}\n", line?.trim_end()).into_bytes())))
}

/// Writes one line at once; answers whether somebody still reads.
pub(crate) fn line_at_once(line: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if gone(&error) => Ok(false),
        Err(error) => Err(cannot_write(&error)),
    }
}

/// Standard output as a stream of bytes that must arrive whole.
pub(crate) struct Stdout(io::StdoutLock<'static>);

impl Stdout {
    /// Takes standard output.
    pub(crate) fn lock() -> Self {
        Self(io::stdout().lock())
    }

    /// Hands over what is buffered; only then was everything written.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| cannot_write(&error))
    }
}

/// Writes one line for people to standard output; a reader that went away is no failure.
pub(crate) fn line(line: impl std::fmt::Display) -> Result<(), Failure> {
    lenient(format!("{line}\n").as_bytes())
}

/// Says one line to the person who watches.
pub(crate) fn say(line: impl std::fmt::Display) {
    sys::talk::say(line);
}

/// Says the failure, as the one line of the contract.
pub(crate) fn complain(failure: &Failure) {
    say(failure);
}

/// Says how the tool is used; help and version go to standard output and are no failure.
pub(crate) fn refuse_usage(refusal: &clap::Error) -> ExitCode {
    match refusal.print() {
        // A reader that went away has read enough.
        Ok(()) | Err(_) => {}
    }
    match refusal.exit_code() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

/// A line that cannot be had does not hide those behind it; the first such failure is answered
/// at the end.
fn lines(lines: impl Iterator<Item = Result<Vec<u8>, Failure>>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut missing = Ok(());
    for line in lines {
        let written = match line {
            Ok(line) => out.write_all(&line),
            Err(failure) => {
                missing = missing.and(Err(failure));
                continue;
            }
        };
        match written {
            Err(error) if gone(&error) => return Ok(()),
            written => written.map_err(|error| cannot_write(&error))?,
        }
    }
    match out.flush() {
        Err(error) if gone(&error) => Ok(()),
        flushed => flushed.map_err(|error| cannot_write(&error)).and(missing),
    }
}

fn lenient(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if gone(&error) => Ok(()),
        written => written.map_err(|error| cannot_write(&error)),
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn json_line(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut line = serde_json::to_vec(value)
        .map_err(|error| Failure::new(Reason::INTERNAL, format!("cannot write JSON: {error}")))?;
    line.push(b'\n');
    Ok(line)
}

fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn cannot_write(error: &io::Error) -> Failure {
    if gone(error) {
        let sentence = "standard output was closed before everything was written; \
                        what was read so far is not the whole";
        return Failure::new(Reason::STORAGE, sentence);
    }
    Failure::io("cannot write to standard output", error)
}
