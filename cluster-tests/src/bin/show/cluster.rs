//! What is printed of clusters of KMS nodes alone.

use std::path::Path;
use std::time::Duration;

use cluster_tests::scenario;
use cluster_tests::scenario::failover::{self, Size};
use cluster_tests::scenario::histories::{self, Harm};

pub(super) fn many_keys(ward: &Path, dir: &Path, keys: usize) {
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

pub(super) fn kinds(name: &str) -> Vec<Harm> {
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

pub(super) fn many_histories(
    ward: &Path,
    dir: &Path,
    keep: &Path,
    first: histories::Size,
    count: u64,
) {
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

pub(super) fn failover(ward: &Path, dir: &Path, size: Size) {
    let seen = failover::run(ward, dir, size, &mut |step| println!("{step}"));
    if let Some(report) = seen {
        println!("{report}");
        assert_eq!(report.missing, 0, "answered writes are missing");
    }
}
