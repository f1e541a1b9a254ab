//! `ward doctor`: whether this host is fit for Ward, each finding with what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::{check_gateway, check_node};
use crate::cli::DoctorArguments;
use crate::report::Report;
use crate::text::time;

/// Looks at the host, and at one process's settings where they are named. `warnings` is what the
/// hardening of this very process met: core dumps, swap.
pub(super) fn report(arguments: &DoctorArguments, warnings: &[String]) -> Report {
    let mut report = Report::default();
    report.ok("version", env!("CARGO_PKG_VERSION"));
    clock(&mut report);
    open_files(&mut report);
    hardening(&mut report, warnings);
    let dir = arguments.config.as_deref().and_then(Path::parent);
    let dir = dir.unwrap_or(Path::new(FOLDER));
    disk(
        &mut report,
        dir.ancestors()
            .find(|dir| dir.is_dir())
            .unwrap_or(Path::new(".")),
    );
    if let Some(config) = &arguments.config {
        report.append(match is_gateway(config) {
            true => check_gateway::report(config),
            false => check_node::report(config),
        });
    }
    report
}

fn clock(report: &mut Report) {
    let now_ms = sys::clock::wall_ms();
    let now = time(now_ms);
    if now_ms < BEFORE_WARD_MS {
        let remedy = "set it: certificates are judged by it, and records dated";
        report.fail("clock", format!("it is {now} here"), remedy);
    } else if ["/run/systemd/timesync/synchronized", "/run/chrony"]
        .iter()
        .any(|sign| Path::new(sign).exists())
    {
        report.ok("clock", format!("it is {now} here, kept by a time service"));
    } else {
        let remedy = "run systemd-timesyncd or chrony; `timedatectl` says whether one does";
        report.warn(
            "clock",
            format!("it is {now} here; no time service is seen"),
            remedy,
        );
    }
}

fn open_files(report: &mut Report) {
    let most = getrlimit(Resource::Nofile).maximum;
    match most {
        Some(most) if most < FILES_WANTED => report.warn(
            "open files",
            format!("at most {most}; every flow takes two"),
            format!("raise it to {FILES_WANTED} or more: LimitNOFILE= in the unit"),
        ),
        Some(most) => report.ok("open files", format!("at most {most}")),
        None => report.ok("open files", "as many as there are"),
    }
}

fn hardening(report: &mut Report, warnings: &[String]) {
    for warning in warnings {
        let remedy = "keys could reach the disk: see the units in deploy/systemd";
        report.warn("memory", warning.clone(), remedy);
    }
    if warnings.is_empty() {
        report.ok("memory", "core dumps and swap are off");
    }
}

fn disk(report: &mut Report, dir: &Path) {
    let shown = dir.display();
    match rustix::fs::statvfs(dir) {
        Err(error) => report.fail("disk", format!("{shown}: {error}"), "correct the path"),
        Ok(facts) => {
            let free_mib = facts.f_bavail.saturating_mul(facts.f_frsize) >> 20;
            let finding = format!("{free_mib} MiB are free at {shown}");
            match free_mib {
                0..FREE_MIB_LEAST => report.fail("disk", finding, "free some space"),
                FREE_MIB_LEAST..FREE_MIB_WANTED => report.warn("disk", finding, "free some space"),
                _ => report.ok("disk", finding),
            }
        }
    }
    match slowest_write(dir) {
        Err(error) => {
            let remedy = "run the check as the user who runs the service";
            report.warn("fsync", format!("not tried at {shown}: {error}"), remedy);
        }
        Ok(took) if took > SLOW_WRITE => report.warn(
            "fsync",
            format!("a durable write took {} ms", took.as_millis()),
            "every write of the KMS waits for it: use an SSD, and one that honours fsync",
        ),
        Ok(took) => report.ok(
            "fsync",
            format!("a durable write took {} µs", took.as_micros()),
        ),
    }
}

/// The slowest of a few durable writes, as every write of a node is one.
fn slowest_write(dir: &Path) -> std::io::Result<Duration> {
    let path: PathBuf = dir.join(format!(".ward-doctor-{}", std::process::id()));
    let mut slowest = Duration::ZERO;
    for _ in 0..WRITES {
        let begun = sys::clock::monotonic();
        sys::file::write_atomic(&path, &[0; 4096], 0o600)?;
        slowest = slowest.max(begun.elapsed());
    }
    std::fs::remove_file(&path)?;
    Ok(slowest)
}

/// Only a gateway has a role.
fn is_gateway(config: &Path) -> bool {
    let text = std::fs::read_to_string(config).unwrap_or_default();
    text.lines()
        .any(|line| line.trim_start().starts_with("role"))
}

/// Where the operating guide keeps everything.
const FOLDER: &str = "/var/lib/ward";
/// 2026-01-01: no certificate of Ward is older.
const BEFORE_WARD_MS: u64 = 1_767_225_600_000;
const FILES_WANTED: u64 = 65_536;
const FREE_MIB_LEAST: u64 = 256;
const FREE_MIB_WANTED: u64 = 4_096;
const WRITES: usize = 16;
const SLOW_WRITE: Duration = Duration::from_millis(20);
