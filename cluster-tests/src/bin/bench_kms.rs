//! Puts Ward, a bare gRPC echo and etcd under the same load, interleaved, and prints medians as a
//! table.

#![expect(clippy::print_stdout, reason = "printing is its job")]

use std::io;
use std::time::Duration;

use clap::Parser;
use cluster_tests::bench::Extent;
use cluster_tests::bench::kms::echo::Echo;
use cluster_tests::bench::kms::etcd::{self, Etcd};
use cluster_tests::bench::kms::load::{Caller, run};
use cluster_tests::bench::kms::pki::Pki;
use cluster_tests::bench::kms::table::{self, Figures, Row};
use cluster_tests::bench::kms::ward::{self, Ward};
use cluster_tests::bench::usage;
use rustix::process::Pid;
use tokio::runtime::Runtime;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    extent: Extent,
    /// Keys that Ward has before it begins.
    #[arg(long, default_value_t = 0)]
    keys: usize,
    /// Only rows whose name has this in it; the floor is measured always.
    #[arg(long, default_value = "")]
    only: String,
}

/// Who is asked for what.
#[derive(Clone, Copy)]
enum What {
    Echo,
    Etcd(etcd::Op),
    Ward(ward::Op),
}

/// Which node is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// There is one.
    Only,
    Leader,
    Follower,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Only => "-",
            Self::Leader => "leader",
            Self::Follower => "follower",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy)]
struct Load {
    what: What,
    place: Place,
    clients: usize,
}

/// What is measured, under which name and where.
const ALL: [(&str, What, &[Place]); 12] = [
    (table::ECHO, What::Echo, &[Place::Only]),
    ("etcd get", What::Etcd(etcd::Op::Get), ANYWHERE),
    (table::PUT, What::Etcd(etcd::Op::Put), &[Place::Leader]),
    (
        "GenerateDataKey",
        What::Ward(ward::Op::GenerateDataKey),
        ANYWHERE,
    ),
    (
        "GenerateDataKey, 64 at once",
        What::Ward(ward::Op::GenerateDataKeys(64)),
        ANYWHERE,
    ),
    (
        "GenerateDataKey, one stream",
        What::Ward(ward::Op::StreamDataKey),
        ANYWHERE,
    ),
    ("Decrypt", What::Ward(ward::Op::Decrypt), ANYWHERE),
    (
        "Decrypt, one stream",
        What::Ward(ward::Op::StreamDecrypt),
        ANYWHERE,
    ),
    (
        "Decrypt, 64 in a batch",
        What::Ward(ward::Op::DecryptBatch(64)),
        ANYWHERE,
    ),
    ("Sign", What::Ward(ward::Op::Sign), ANYWHERE),
    (
        "CreateKey",
        What::Ward(ward::Op::CreateKey),
        &[Place::Leader],
    ),
    (
        "RotateKey",
        What::Ward(ward::Op::RotateKey),
        &[Place::Leader],
    ),
];
const ANYWHERE: &[Place] = &[Place::Leader, Place::Follower];

struct Systems {
    echo: Echo,
    etcd: Option<Etcd>,
    ward: Ward,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let runtime = Runtime::new()?;
    let dir = tempfile::tempdir()?;
    let pki = Pki::create(&dir.path().join("pki"))?;
    let etcd = match Etcd::installed() {
        true => Some(Etcd::start(&runtime, &dir.path().join("etcd"), &pki)?),
        false => {
            println!("skipped: etcd (not installed)");
            None
        }
    };
    let systems = Systems {
        echo: Echo::start(&pki)?,
        etcd,
        ward: Ward::start(&runtime, &args.extent.ward, &dir.path().join("ward")),
    };
    let told = &mut |step: &str| println!("{step}");
    systems.ward.fill(&runtime, args.keys, told);
    let mut rows = rows(&systems, &args.only);
    for round in 1..=args.extent.rounds {
        for (row, load) in &mut rows {
            println!("round {round}: {}, {} clients", row.name, row.clients);
            let length = args.extent.length();
            let seen = measure(&runtime, &systems, *load, length);
            row.rounds.push(seen.map_err(io::Error::other)?);
        }
    }
    let rows: Vec<Row> = rows.into_iter().map(|(row, _)| row).collect();
    println!("{}", table::markdown(&rows));
    systems.ward.stop();
    Ok(())
}

fn rows(systems: &Systems, only: &str) -> Vec<(Row, Load)> {
    let is_there = |what| !matches!(what, What::Etcd(_)) || systems.etcd.is_some();
    let is_asked = |name: &str| name == table::ECHO || name.contains(only);
    let mut rows = Vec::new();
    let all = ALL.into_iter();
    for (name, what, places) in all.filter(|(name, what, _)| is_there(*what) && is_asked(name)) {
        for (place, clients) in places
            .iter()
            .flat_map(|it| CLIENTS.map(|count| (*it, count)))
        {
            let row = Row {
                name: name.to_owned(),
                clients,
                node: place.name(),
                rounds: Vec::new(),
            };
            let load = Load {
                what,
                place,
                clients,
            };
            rows.push((row, load));
        }
    }
    rows
}

fn measure(
    runtime: &Runtime,
    systems: &Systems,
    load: Load,
    length: Duration,
) -> Result<Figures, String> {
    let pids: Vec<Pid> = match load.what {
        What::Echo => Vec::new(),
        What::Etcd(_) => systems.etcd.as_ref().map(Etcd::pids).unwrap_or_default(),
        What::Ward(_) => systems.ward.pids(),
    };
    runtime.block_on(async {
        let mut callers = Vec::new();
        for own in 0..load.clients {
            let mut caller = caller(systems, load, own).await?;
            // Connects, where that is done with the first call.
            caller().await?;
            callers.push(caller);
        }
        let before = usage::cpu(&pids);
        let seen = run(callers, length).await;
        let used = usage::cpu(&pids) - before;
        if let Some(failure) = seen.failures.first() {
            println!("  {} calls failed: {failure}", seen.failures.len());
        }
        let calls = seen.latencies.len() as f64;
        let at = |quantile: f64| seen.latencies.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Figures {
            rate: calls / seen.time.as_secs_f64(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            cpu_us: (!pids.is_empty()).then(|| used.as_secs_f64() * 1e6 / calls),
        })
    })
}

async fn caller(systems: &Systems, load: Load, own: usize) -> Result<Caller, String> {
    let at_leader = load.place == Place::Leader;
    match load.what {
        What::Echo => systems.echo.caller().await,
        What::Etcd(op) => {
            let etcd = systems.etcd.as_ref().ok_or("etcd is not installed")?;
            etcd.caller(op, at_leader).await
        }
        What::Ward(op) => Ok(systems.ward.caller(op, own, at_leader)),
    }
}

const CLIENTS: [usize; 2] = [1, ward::CLIENTS_MAX];
