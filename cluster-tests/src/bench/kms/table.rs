//! Medians over rounds as a table, each row beside its floor and its peer.

use std::fmt::Write as _;

/// The figures of one load in one round.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Calls a second.
    pub rate: f64,
    /// Microseconds.
    pub p50_us: f64,
    /// Microseconds.
    pub p99_us: f64,
    /// CPU of all nodes for one call, microseconds; of the echo, which shares its process with the
    /// load, it is not known.
    pub cpu_us: Option<f64>,
}

/// One load.
pub struct Row {
    /// What was asked for.
    pub name: String,
    /// Of how many clients.
    pub clients: usize,
    /// Which node was asked.
    pub node: &'static str,
    /// One for each round.
    pub rounds: Vec<Figures>,
}

/// The names of the rows that others are held against.
pub const ECHO: &str = "gRPC echo";
/// See [`ECHO`].
pub const PUT: &str = "etcd put";

impl Row {
    fn median(&self, figure: impl Fn(&Figures) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// A table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| | clients | node | calls/s | p50 us | p99 us | CPU us/call | x echo | x etcd put |\n\
         |---|---:|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let rate = row.median(|figures| figures.rate);
        let cpu = row.median(|figures| figures.cpu_us.unwrap_or(f64::NAN));
        let [echo, put] = [ECHO, PUT].map(|name| {
            let same = |other: &&Row| other.name == name && other.clients == row.clients;
            let other = rows.iter().find(same);
            other.map_or(f64::NAN, |other| rate / other.median(|it| it.rate))
        });
        let (p50, p99) = (row.median(|it| it.p50_us), row.median(|it| it.p99_us));
        let cells = [rate, p50, p99, cpu].map(whole);
        let ratios = [echo, put].map(ratio);
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            row.name,
            row.clients,
            row.node,
            cells.join(" | "),
            ratios.join(" | "),
        )
        .expect("a string grows");
    }
    text
}

fn whole(value: f64) -> String {
    match value.is_nan() {
        true => "-".to_owned(),
        false => format!("{value:.0}"),
    }
}

fn ratio(value: f64) -> String {
    match value.is_nan() {
        true => "-".to_owned(),
        false => format!("{value:.2}"),
    }
}
