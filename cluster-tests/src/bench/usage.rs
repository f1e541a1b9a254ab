//! CPU time and memory of a set of processes, read from /proc.

use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// CPU time (user and system) that the processes have used so far, their threads included.
pub fn cpu(pids: &[Pid]) -> Duration {
    pids.iter()
        .map(|pid| cpu_of(*pid).unwrap_or_default())
        .sum()
}

/// Proportional set size of the processes together, in bytes.
pub fn memory_bytes(pids: &[Pid]) -> u64 {
    pids.iter()
        .map(|pid| memory_of(*pid).unwrap_or_default())
        .sum()
}

/// What a process has resident, in bytes.
pub fn resident_bytes(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// A process and all its descendants.
pub fn family(root: Pid) -> Vec<Pid> {
    let mut family = vec![root];
    let mut at = 0;
    while let Some(pid) = family.get(at).copied() {
        family.extend(children_of(pid));
        at += 1;
    }
    family
}

fn cpu_of(pid: Pid) -> Option<Duration> {
    // proc_pid_stat(5): utime and stime are the 14th and 15th fields, in clock ticks; the second
    // field may contain blanks, so counting starts behind its closing bracket.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

fn memory_of(pid: Pid) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let tasks = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    tasks
        .split_whitespace()
        .filter_map(|text| Pid::from_raw(text.parse().ok()?))
        .collect()
}
