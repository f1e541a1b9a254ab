//! The log of the long-running processes, on standard error; `ward up` points it at a file.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// Information and worse from Ward, warnings from what it is made of.
pub const FILTER: &str =
    "warn,ward=info,kms_server=info,kms_client=info,gateway_proxy=info,sys=info";

/// Starts logging and logs `warnings` first, those of [`harden`](crate::harden). `filter` is a
/// level, or directives such as [`FILTER`]; one that is not understood is told and left out: a
/// mistyped word is no reason to keep a node from starting.
pub fn start(filter: &str, warnings: &[String]) {
    let (filter, ignored) = parse(filter);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
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
}
