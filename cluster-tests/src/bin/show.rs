//! Runs the scenarios at any size and prints what was seen; for figures, build with `--release`.

#![expect(clippy::print_stdout, reason = "printing is its job")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};
use cluster_tests::scenario::histories::{self, Harm};
use cluster_tests::scenario::{self, contain};

#[derive(Parser)]
struct Args {
    /// The tool under test.
    #[arg(long, default_value = "target/release/ward")]
    ward: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// python-hl7 on both ends; archive against stream.
    Hl7 {
        /// Messages.
        #[arg(default_value_t = 1000)]
        messages: usize,
    },
    /// DCMTK on both ends, pydicom's files; archive against stream, with a reverse route.
    Dicom {
        /// At most so many files.
        #[arg(default_value_t = 1000)]
        files: usize,
    },
    /// Planted names on the wire and on disk.
    Wire {
        /// Messages.
        #[arg(default_value_t = 200)]
        messages: usize,
    },
    /// Planted secrets in every place they can enter, with everything logged; where they come out.
    Canaries,
    /// Many keys: rate, memory, restarts, a rebuilt state, a lost disk.
    Keys {
        /// Keys.
        #[arg(default_value_t = 1_000_000)]
        keys: usize,
    },
    /// A client without a certificate.
    Stranger,
    /// SIGKILL of leader, edge and core in turn, then of everything.
    Kills {
        /// Rounds of three kills.
        #[arg(default_value_t = 5)]
        rounds: usize,
    },
    /// DisableKey on one node against Decrypt on the others.
    Disabled {
        /// Rounds of two tries.
        #[arg(default_value_t = 100)]
        rounds: usize,
    },
    /// Orders against devices whose flows stream, also with gateways cut off and paused.
    Contain {
        /// Orders while all is well.
        #[arg(default_value_t = 100)]
        rounds: usize,
        /// Flows over eight devices.
        #[arg(default_value_t = 200)]
        flows: usize,
    },
    /// Clients on all nodes while harm is done to the cluster; all checkers over what they were
    /// told.
    Histories {
        /// Histories, with seeds from the first on.
        #[arg(default_value_t = 10)]
        histories: u64,
        /// Calls of each.
        #[arg(long, default_value_t = 10_000)]
        calls: usize,
        /// Nodes.
        #[arg(long, default_value_t = 3)]
        nodes: usize,
        /// The first seed; chosen by chance unless given.
        #[arg(long)]
        seed: Option<u64>,
        /// What is done: plain (kills, pauses), crashes (at named points; give --ward
        /// target/release/ward-cluster, which has them), ways (between nodes), disks (power cuts,
        /// full disks), clocks, or none.
        #[arg(long, value_delimiter = ',', default_value = "plain,ways,disks,clocks")]
        harm: Vec<String>,
        /// Where a history with a violation is left.
        #[arg(long, default_value = "target/histories")]
        keep: PathBuf,
    },
    /// Every ending, direct and through the pair.
    Endings {
        /// Rounds of all cases.
        #[arg(default_value_t = 5)]
        rounds: usize,
    },
}

fn main() {
    let Args { ward, what } = Args::parse();
    assert!(
        ward.exists(),
        "{} is not there: build it (`cargo build --release -p ward`), or give --ward FILE",
        ward.display()
    );
    let dir = tempfile::tempdir().expect("a temporary folder");
    match what {
        What::Hl7 { messages } => hl7(&ward, dir.path(), messages),
        What::Dicom { files } => dicom(&ward, dir.path(), files),
        What::Wire { messages } => wire(&ward, dir.path(), messages),
        What::Canaries => canaries(&ward, dir.path()),
        What::Keys { keys } => many_keys(&ward, dir.path(), keys),
        What::Stranger => stranger(&ward, dir.path()),
        What::Kills { rounds } => kills(&ward, dir.path(), rounds),
        What::Disabled { rounds } => disabled(&ward, dir.path(), rounds),
        What::Contain { rounds, flows } => {
            contain(&ward, dir.path(), contain::Size { rounds, flows });
        }
        What::Histories {
            histories,
            calls,
            nodes,
            seed,
            harm,
            keep,
        } => {
            let size = histories::Size {
                seed: seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
                nodes,
                calls,
                harms: harm.iter().flat_map(|name| kinds(name)).collect(),
            };
            many_histories(&ward, dir.path(), &keep, size, histories);
        }
        What::Endings { rounds } => endings(&ward, dir.path(), rounds),
    }
}

fn hl7(ward: &Path, dir: &Path, messages: usize) {
    let Some(seen) = scenario::hl7::run(ward, dir, messages) else {
        println!("skipped: python-hl7 (install python3-hl7 or pip's hl7)");
        return;
    };
    println!(
        "{} messages, {} answers, in order",
        seen.messages.0, seen.messages.1
    );
    println!(
        "objects to-service {}, to-device {}",
        seen.objects.0, seen.objects.1
    );
    println!(
        "joined equal to {} bytes sent, {} bytes received",
        seen.bytes.0, seen.bytes.1
    );
}

fn dicom(ward: &Path, dir: &Path, files: usize) {
    let Some(seen) = scenario::dicom::run(ward, dir, files) else {
        println!("skipped: {}", cluster_tests::dicom::TOOLS);
        return;
    };
    println!("{} files of pydicom", seen.files);
    println!(
        "storescu to storescp: {} directly, {} through Ward, all equal; {} data sets as in the file",
        seen.stored_directly, seen.stored, seen.as_sent
    );
    println!(
        "movescu, back through a reverse route: {} directly, {} through Ward, all equal",
        seen.retrieved_directly, seen.retrieved
    );
    println!(
        "connections of the device {}, of the server {}",
        seen.flows.0, seen.flows.1
    );
    for (kind, count) in &seen.objects {
        println!("  {kind:<20} {count:>5} objects");
    }
    println!(
        "joined equal to {} bytes to the service, {} bytes to the device",
        seen.bytes.0, seen.bytes.1
    );
}

fn wire(ward: &Path, dir: &Path, messages: usize) {
    let seen = scenario::wire::run(ward, dir, messages).expect("packets can be captured");
    println!(
        "segments with a planted name on the device's leg {}, on the server's {} (control)",
        seen.on_the_legs.0, seen.on_the_legs.1
    );
    println!(
        "segments between the gateways: {} (control)",
        seen.between_gateways
    );
    println!(
        "segments with a planted name elsewhere on loopback: {}",
        seen.elsewhere
    );
    println!(
        "files under the data directory: {}, with a planted name: {}",
        seen.files.0, seen.files.1
    );
    println!(
        "objects that give the name back through the KMS: {} (control)",
        seen.opened
    );
}

fn canaries(ward: &Path, dir: &Path) {
    let seen = scenario::canaries::run(ward, dir);
    println!(
        "planted {} canaries, searched in {} forms",
        seen.planted.0, seen.planted.1
    );
    for (kind, places, bytes) in &seen.searched {
        println!("  {kind:<8} {places:>5} places {bytes:>12} bytes");
    }
    for leak in &seen.leaks {
        println!(
            "FOUND {} as {}, {} times, in {}",
            leak.what, leak.form, leak.count, leak.place
        );
    }
    println!("found where none may be: {}", seen.leaks.len());
    println!("controls: {:?}", seen.controls);
}

fn many_keys(ward: &Path, dir: &Path, keys: usize) {
    let mut told = |line: &str| println!("{line}");
    let size = scenario::keys::Size {
        keys,
        patience: Duration::from_secs(1_800),
    };
    let seen = scenario::keys::run(ward, dir, size, &mut told);
    let seconds = seen.filling.as_secs_f64();
    println!(
        "{} keys in {seconds:.1} s, {:.0} keys/s, {} calls repeated",
        seen.keys,
        seen.keys as f64 / seconds,
        seen.repeated
    );
    let mib = |bytes: &[u64]| -> Vec<u64> { bytes.iter().map(|it| it >> 20).collect() };
    println!("resident without keys {:?} MiB", mib(&seen.empty));
    println!(
        "after                            ready s  whole s  resident MiB          keys listed"
    );
    for stage in &seen.stages {
        println!(
            "{:<32} {:>7.1} {:>8.1}  {:<20}  {:?}, {} of {} samples opened",
            stage.what,
            stage.ready.as_secs_f64(),
            stage.whole.as_secs_f64(),
            format!("{:?}", mib(&stage.resident)),
            stage.counted,
            stage.opened.1,
            stage.opened.0
        );
        let more = stage.resident.iter().zip(&seen.empty);
        let each = more.map(|(now, empty)| now.saturating_sub(*empty) / seen.keys as u64);
        println!("{:<32} bytes a key: {:?}", "", each.collect::<Vec<_>>());
    }
    for (what, bytes) in &seen.disk {
        println!(
            "{what}: {bytes} bytes on the disk of a node, {} a key",
            bytes / seen.keys as u64
        );
    }
    match seen.snapshot_bytes {
        Some(bytes) => println!("the node without its disk was given a snapshot of {bytes} bytes"),
        None => println!("the node without its disk was given the log"),
    }
}

fn stranger(ward: &Path, dir: &Path) {
    let seen = scenario::stranger::run(ward, dir);
    for (who, bytes) in seen.tried {
        println!("{who}: {bytes} bytes given");
    }
    println!(
        "connections at the server behind the core: {}",
        seen.upstream_connections
    );
}

fn kills(ward: &Path, dir: &Path, rounds: usize) {
    let seen = scenario::kills::run(ward, dir, rounds);
    println!("victim   next message ms   next key ms   failed messages   failed keys");
    for cut in &seen.cuts {
        println!(
            "{:<8} {:>15} {:>13} {:>17} {:>13}",
            cut.victim,
            cut.next_message.as_millis(),
            cut.next_key.as_millis(),
            cut.failed_messages,
            cut.failed_keys
        );
    }
    println!(
        "acknowledged keys {}, missing afterwards {}",
        seen.acknowledged, seen.missing
    );
    println!(
        "messages answered {}: archived {}, in a recorded gap {}, cut off {}, lost {} ({} objects, {} gaps)",
        seen.answered,
        seen.kept.archived,
        seen.kept.in_gaps,
        seen.kept.cut_off,
        seen.kept.lost.len(),
        seen.kept.objects,
        seen.kept.gaps
    );
    println!(
        "everything killed: `up` to the next answered message {} ms",
        seen.power_cut.as_millis()
    );
}

fn disabled(ward: &Path, dir: &Path, rounds: usize) {
    let seen = scenario::disabled::run(ward, dir, rounds);
    println!(
        "refused with KEY_DISABLED: {} of {}",
        seen.refused, seen.tried
    );
    println!("decrypted while enabled: {} (control)", seen.opened_before);
}

fn contain(ward: &Path, dir: &Path, size: contain::Size) {
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

fn endings(ward: &Path, dir: &Path, rounds: usize) {
    let rows = scenario::endings::run(ward, dir, rounds);
    for row in &rows {
        let verdict = if row.same() { "same" } else { "DIFFERENT" };
        println!(
            "{verdict:<10} {:<45} direct: {}; pair: {}",
            row.name, row.direct, row.pair
        );
    }
    println!(
        "{} of {} the same",
        rows.iter().filter(|row| row.same()).count(),
        rows.len()
    );
}

fn kinds(name: &str) -> Vec<Harm> {
    match name {
        "plain" => Harm::PLAIN.to_vec(),
        "crashes" => Harm::CRASHES.to_vec(),
        "ways" => Harm::WAYS.to_vec(),
        "disks" => Harm::DISKS.to_vec(),
        "clocks" => Harm::CLOCKS.to_vec(),
        "none" => Vec::new(),
        _ => panic!("harm is plain, crashes, ways, disks, clocks or none, not {name}"),
    }
}

fn many_histories(ward: &Path, dir: &Path, keep: &Path, first: histories::Size, count: u64) {
    let mut all = histories::Total::default();
    for seed in (first.seed..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let size = histories::Size {
            seed,
            ..first.clone()
        };
        let root = dir.join(seed.to_string());
        let Some(report) = histories::run(ward, &root, keep, &size) else {
            return;
        };
        println!("seed {seed}: {report}");
        all.add(&report);
    }
    println!("{all}");
    assert!(all.is_right(), "see {}", keep.display());
}
