//! The log of the long-running processes, on standard error; `ward up` points it at a file.
//! Nobody waits for a line to be written.

mod queue;

use std::sync::OnceLock;
use std::time::Duration;

use queue::Queue;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// One for the process, as the subscriber is.
static QUEUE: OnceLock<Queue> = OnceLock::new();

const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// Information and worse from Ward, warnings from what it is made of.
pub const FILTER: &str =
    "warn,ward=info,kms_server=info,kms_client=info,gateway_proxy=info,sys=info";

/// Never logged, whatever the filter says: it quotes what a caller sent.
const QUOTING: &str = "tonic::transport::service::grpc_timeout=off";

/// Writes what is still waiting when it is dropped, at the end of `main`.
#[must_use = "dropped at once, the lines at the end of the process are lost"]
#[derive(Debug)]
pub struct Flush(());

impl Drop for Flush {
    fn drop(&mut self) {
        flush();
    }
}

/// Waits until every line logged so far is written, a second at most.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FLUSH_PATIENCE);
    }
}

/// Tells how many lines found no room, because standard error did not take them fast enough.
#[must_use]
pub fn dropped() -> u64 {
    QUEUE.get().map_or(0, Queue::dropped)
}

/// Starts logging and logs `warnings` first, those of [`harden`](crate::harden). `filter` is a
/// level, or directives such as [`FILTER`]; one that is not understood is told and left out: a
/// mistyped word is no reason to keep a node from starting.
pub fn start(filter: &str, warnings: &[String]) -> Flush {
    let (filter, ignored) = parse(filter);
    let (writer, no_thread) = match Queue::start(std::io::stderr()) {
        Ok(queue) => (
            BoxMakeWriter::new(QUEUE.get_or_init(|| queue).clone()),
            None,
        ),
        Err(error) => (BoxMakeWriter::new(std::io::stderr), Some(error)),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false)
        // Otherwise a line that cannot be written ends in `eprintln!`, which panics where the
        // line failed already: a full disk would kill the process.
        .log_internal_errors(false)
        .finish();
    if tracing::subscriber::set_global_default(log).is_err() {
        tracing::debug!("a log is set already");
    }
    for directive in ignored {
        tracing::warn!(directive, "not understood in the log filter");
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if let Some(error) = no_thread {
        tracing::warn!(%error, "the log has no thread of its own; whoever logs waits for it");
    }
    Flush(())
}

/// The filter, and what was not understood.
fn parse(text: &str) -> (EnvFilter, Vec<&str>) {
    let mut filter = EnvFilter::default();
    let mut ignored = Vec::new();
    for word in text.split(',').filter(|word| !word.trim().is_empty()) {
        match word.trim().parse::<Directive>() {
            Ok(directive) => filter = filter.add_directive(directive),
            Err(_) => ignored.push(word),
        }
    }
    if let Ok(directive) = QUOTING.parse() {
        filter = filter.add_directive(directive);
    }
    (filter, ignored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(parse(FILTER).1, Vec::<&str>::new());
        assert_eq!(parse("debug, kms_server=loud").1, [" kms_server=loud"]);
    }

    #[test]
    fn what_quotes_callers_stays_off_at_every_level() {
        for text in ["", "trace", "tonic=trace"] {
            let filter = parse(text).0.to_string();
            assert!(filter.contains(QUOTING), "{filter}");
        }
    }
}
