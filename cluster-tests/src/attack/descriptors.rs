//! A process without file descriptors (RUSTSEC-2024-0376): its accept loop must outlive them.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::wait;

/// Lets a process have no more descriptors than it has, and `spare` ones; false where that may not
/// be seen or set.
pub fn limit(process: Pid, spare: usize) -> bool {
    let open = format!("/proc/{}/fd", process.as_raw_nonzero());
    let Ok(open) = fs::read_dir(open) else {
        return false;
    };
    let numbers = open.flatten().filter_map(|file| {
        let name = file.file_name();
        name.to_str()?.parse::<u64>().ok()
    });
    // The limit is one of numbers, and a process takes the lowest that is free.
    let taken: BTreeSet<u64> = numbers.collect();
    let mut free = (0..).filter(|number| !taken.contains(number));
    let first_refused = free.nth(spare);
    let limit = Rlimit {
        current: first_refused,
        maximum: first_refused,
    };
    prlimit(Some(process), Resource::Nofile, limit).is_ok()
}

/// Connects until `exhausted` says so, and holds what it has.
///
/// # Panics
/// When it never says so.
pub fn hold(address: SocketAddr, mut exhausted: impl FnMut() -> bool) -> Vec<TcpStream> {
    let mut held = Vec::new();
    wait::until("the process has no descriptor left", || {
        // The kernel accepts what the process does not take up.
        held.push(TcpStream::connect(address).expect("it listens"));
        exhausted().then_some(())
    });
    held
}
