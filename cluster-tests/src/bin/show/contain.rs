//! What is printed of containment.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use cluster_tests::scenario;
use cluster_tests::scenario::contain;

pub(super) fn contain(ward: &Path, dir: &Path, size: contain::Size) {
    let seen = scenario::contain::run(ward, dir, size);
    println!(
        "{} flows of {} devices over two edges and two cores, each streaming both ways",
        seen.flows.1, seen.flows.0
    );
    println!(
        "{:<40} {:>8} {:>8} {:>8}",
        format!("{} orders to isolate a device, ms", seen.rounds.len()),
        "p50",
        "p99",
        "max"
    );
    percentiles("from the order to its last byte", &seen.rounds, |round| {
        round.last_byte
    });
    percentiles(
        "from the order to the answer complete",
        &seen.rounds,
        |round| round.complete,
    );
    println!(
        "bytes that arrived after the answer complete: {}",
        seen.rounds
            .iter()
            .map(|round| round.late_bytes)
            .sum::<u64>()
    );
    match &seen.offline {
        Some(orders) => orders.iter().for_each(offline),
        None => println!("skipped: gateways cut off from the KMS (needs root)"),
    }
    seen.paused.iter().for_each(paused);
    println!("flows of other devices that were cut: {}", seen.others_cut);
}

fn percentiles(what: &str, rounds: &[contain::Round], of: fn(&contain::Round) -> Duration) {
    let mut seen: Vec<Duration> = rounds.iter().map(of).collect();
    seen.sort();
    let at = |percent: usize| match seen.get((seen.len() * percent).div_ceil(100).max(1) - 1) {
        Some(value) => format!("{:.1}", value.as_secs_f64() * 1000.0),
        None => "-".to_owned(),
    };
    println!("  {what:<38} {:>8} {:>8} {:>8}", at(50), at(99), at(100));
}

fn offline(seen: &contain::Offline) {
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    println!(
        "cut off from the KMS: {}; lease {}, offline allowance {}",
        seen.cut_off.join(", "),
        seconds(contain::LEASE),
        seconds(seen.allowance)
    );
    println!(
        "  pending for {}, until {} after the order",
        names(&seen.pending),
        seen.deadline.map_or("?".to_owned(), seconds)
    );
    println!(
        "  the device's last byte {} after the order, {} after the cut; after the deadline: {}",
        seconds(seen.last_byte.1),
        seconds(seen.last_byte.0),
        if seen.byte_after_deadline {
            "SOME"
        } else {
            "none"
        }
    );
    println!(
        "  complete {} after the order; bytes after that: {}",
        seconds(seen.complete),
        seen.late_bytes
    );
}

fn paused(seen: &contain::Paused) {
    println!(
        "paused past lease and allowance: {}",
        seen.paused.join(", ")
    );
    println!(
        "  pending for {}, complete {:.2} s after the order",
        names(&seen.pending),
        seen.complete.as_secs_f64()
    );
    println!(
        "  written by devices and server meanwhile: {} bytes; forwarded after they went on: {} \
         bytes, at {} of {} ends, at one at most {}",
        seen.written,
        seen.late_bytes.iter().sum::<u64>(),
        seen.late_ends(),
        seen.late_bytes.len(),
        seen.late_bytes.iter().max().map_or(0, |most| *most)
    );
}

fn names(gateways: &BTreeSet<String>) -> String {
    let names: Vec<&str> = gateways.iter().map(String::as_str).collect();
    names.join(", ")
}
