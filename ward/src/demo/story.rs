//! The narrator: chapters and lines to standard output, a moving line on a terminal while one
//! waits, and nothing of that kind where nobody looks.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::stack::Home;
use crate::error::Failure;
use crate::output;

/// Tells the story.
pub(super) struct Story {
    begun: Instant,
    chapters: u32,
    /// The first line that could not be written; the demo ends with it.
    unwritten: Result<(), Failure>,
}

impl Story {
    /// Says what this will be.
    pub(super) fn begin() -> Self {
        let mut story = Self {
            begun: sys::clock::monotonic(),
            chapters: 0,
            unwritten: Ok(()),
        };
        story.line("Ward: two devices that know no encryption, and what becomes of their traffic.");
        story
    }

    /// Begins a chapter.
    pub(super) fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        let number = self.chapters;
        self.line(format_args!("\n{number}. {title}"));
    }

    /// Tells one thing that was just measured.
    pub(super) fn tell(&mut self, what: &str, line: impl Display) {
        self.line(format_args!("   {what:<10} {line}"));
    }

    /// Waits for `work`; a terminal shows that something goes on.
    pub(super) async fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        // Draws on standard error, and only where that is a terminal.
        let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
        spinner.enable_steady_tick(TICK);
        let done = work.await;
        spinner.finish_and_clear();
        done
    }

    /// Says what is left.
    pub(super) fn end(mut self, home: &Home) -> Result<(), Failure> {
        let took = self.begun.elapsed().as_secs_f32();
        self.line(format_args!("\nTold in {took:.1} s."));
        match home.kept() {
            Some(dir) => {
                let dir = dir.display();
                self.line(format_args!("Everything stays in {dir}. To bring it back:"));
                self.line(format_args!("  ward up --data-dir {dir}"));
            }
            None => self.line("Nothing is left of it; with --data-dir DIR everything stays."),
        }
        self.unwritten
    }

    fn line(&mut self, line: impl Display) {
        if self.unwritten.is_ok() {
            self.unwritten = output::line(line);
        }
    }
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=9_999_999 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// A time as people read it.
pub(super) fn time(took: Duration) -> String {
    match took.as_micros() {
        micros @ 0..=9_999 => format!("{:.1} ms", micros as f64 / 1_000.0),
        micros => format!("{} ms", micros / 1_000),
    }
}

const TICK: Duration = Duration::from_millis(80);
