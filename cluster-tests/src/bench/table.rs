//! The figures of one pair, and medians over rounds as a table.

use std::fmt::Write as _;

/// The figures of one pair in one round.
#[derive(Clone, Copy, Default)]
pub struct Figures {
    /// One stream, Gbit/s.
    pub bulk_gbit: f64,
    /// CPU seconds of both halves for a GB of it.
    pub cpu_seconds_per_gb: f64,
    /// One request at a time, microseconds.
    pub latency_p50_us: f64,
    /// One request at a time, microseconds.
    pub latency_p99_us: f64,
    /// Over 64 kept connections.
    pub requests_per_second: f64,
    /// Connect, request, answer, close.
    pub flows_per_second: f64,
    /// CPU of both halves for each of those, microseconds.
    pub cpu_per_flow_us: f64,
    /// Memory of both halves for each idle flow, KiB.
    pub idle_flow_kib: f64,
}

type Row = (&'static str, fn(&Figures) -> f64);

const ROWS: [Row; 8] = [
    ("bulk, one stream, Gbit/s", |f| f.bulk_gbit),
    ("CPU-seconds per GB, both halves", |f| f.cpu_seconds_per_gb),
    ("request latency p50, us", |f| f.latency_p50_us),
    ("request latency p99, us", |f| f.latency_p99_us),
    ("requests/s, 64 kept connections", |f| f.requests_per_second),
    ("new flows/s", |f| f.flows_per_second),
    ("CPU per new flow, us", |f| f.cpu_per_flow_us),
    ("memory per idle flow, KiB", |f| f.idle_flow_kib),
];

/// A table in Markdown: medians over each pair's rounds.
pub fn markdown(columns: &[(&str, Vec<Figures>)]) -> String {
    let mut text = String::from("| |");
    for (name, _) in columns {
        write!(text, " {name} |").expect("a string grows");
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(columns.len()));
    for (label, figure) in ROWS {
        write!(text, "\n| {label} |").expect("a string grows");
        for (_, rounds) in columns {
            write!(text, " {:.2} |", median(rounds.iter().map(figure))).expect("a string grows");
        }
    }
    text.push('\n');
    text
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
