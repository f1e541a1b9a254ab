//! Puts Ward and its peers under the same load, interleaved, and prints medians as a table.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is its job"
)]

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use clap::Parser;
use cluster_tests::bench::peers::{Pair, Peer};
use cluster_tests::bench::table::{self, Figures};
use cluster_tests::bench::usage;
use cluster_tests::bench::{Extent, load};
use std::net::SocketAddr;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    extent: Extent,
    /// Who takes part; everybody who is installed when not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Idle flows.
    #[arg(long, default_value_t = 1000)]
    idle: usize,
}

struct Upstreams {
    echo: SocketAddr,
    sink: SocketAddr,
    sunk: std::sync::Arc<AtomicU64>,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    for warning in sys::harden::process() {
        println!("note: {warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let echo = runtime.block_on(load::echo_server())?;
    let (sink, sunk) = load::sink_server()?;
    let upstreams = Upstreams { echo, sink, sunk };
    let chosen = if args.peers.is_empty() {
        Peer::ALL.to_vec()
    } else {
        args.peers.clone()
    };
    let peers: Vec<Peer> = chosen
        .into_iter()
        .filter(|peer| report_missing(*peer))
        .collect();
    let mut columns: Vec<(&str, Vec<Figures>)> =
        peers.iter().map(|peer| (peer.name(), Vec::new())).collect();
    for round in 1..=args.extent.rounds {
        for (peer, column) in peers.iter().zip(&mut columns) {
            println!("round {round}: {}", peer.name());
            let dir = tempfile::tempdir()?;
            let figures = measure(&runtime, *peer, &args, &upstreams, dir.path());
            column.1.push(figures.inspect_err(|_| {
                eprintln!("kept {} to look into", dir.keep().display());
            })?);
        }
    }
    println!("{}", table::markdown(&columns));
    Ok(())
}

fn report_missing(peer: Peer) -> bool {
    let installed = peer.installed();
    if !installed {
        println!("skipped: {} (not installed)", peer.name());
    }
    installed
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    peer: Peer,
    args: &Args,
    upstreams: &Upstreams,
    dir: &Path,
) -> io::Result<Figures> {
    let length = args.extent.length();
    let mut figures = Figures::default();
    bulk(
        &args.extent.ward,
        peer,
        &dir.join("bulk"),
        upstreams,
        length,
        &mut figures,
    )?;
    let pair = Pair::start(peer, &args.extent.ward, &dir.join("echo"), upstreams.echo)?;
    runtime.block_on(async {
        let one = load::requests(pair.address, 1, length).await?;
        figures.latency_p50_us = one.value_at_quantile(0.5) as f64 / 1e3;
        figures.latency_p99_us = one.value_at_quantile(0.99) as f64 / 1e3;
        let many = load::requests(pair.address, 64, length).await?;
        figures.requests_per_second = many.len() as f64 / length.as_secs_f64();
        let before = usage::cpu(&pair.pids());
        let (flows, cut) = load::new_flows(pair.address, 16, length).await;
        if cut > 0 {
            println!("  {cut} new flows were cut");
        }
        let used = usage::cpu(&pair.pids()) - before;
        figures.flows_per_second = flows as f64 / length.as_secs_f64();
        figures.cpu_per_flow_us = used.as_secs_f64() * 1e6 / flows as f64;
        io::Result::Ok(())
    })?;
    // Idle memory on a pair that has not been stretched by the loads before.
    drop(pair);
    let pair = Pair::start(peer, &args.extent.ward, &dir.join("idle"), upstreams.echo)?;
    let before = usage::memory_bytes(&pair.pids());
    let flows = runtime.block_on(load::idle(pair.address, args.idle))?;
    let grown = usage::memory_bytes(&pair.pids()).saturating_sub(before);
    figures.idle_flow_kib = grown as f64 / 1024.0 / flows.len() as f64;
    Ok(figures)
}

fn bulk(
    ward: &Path,
    peer: Peer,
    dir: &Path,
    upstreams: &Upstreams,
    length: Duration,
    figures: &mut Figures,
) -> io::Result<()> {
    let pair = Pair::start(peer, ward, dir, upstreams.sink)?;
    let before = usage::cpu(&pair.pids());
    let bytes = load::bulk(pair.address, &upstreams.sunk, length)? as f64;
    let used = usage::cpu(&pair.pids()) - before;
    figures.bulk_gbit = bytes * 8.0 / 1e9 / length.as_secs_f64();
    figures.cpu_seconds_per_gb = used.as_secs_f64() / (bytes / 1e9);
    Ok(())
}
