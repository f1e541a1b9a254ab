//! What a process does to itself before it holds a secret. Called first in every `main`.

use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Switches core dumps off, makes the process unreadable to others of its user, and raises the
/// limit of open files to its maximum.
///
/// Answers what could not be done and what the machine should not have (swap), one sentence each,
/// for the log: a hospital's gateway starts all the same.
#[must_use]
pub fn process() -> Vec<String> {
    let mut warnings = Vec::new();
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, no_core) {
        warnings.push(format!("core dumps are not switched off: {error}"));
    }
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warnings.push(format!("the process stays readable to its user: {error}"));
    }
    if let Err(error) = raise_open_files() {
        warnings.push(format!("the limit of open files is not raised: {error}"));
    }
    match std::fs::read_to_string("/proc/swaps") {
        Ok(swaps) => warnings.extend(swap_warning(&swaps)),
        Err(error) => warnings.push(format!("swap is not checked: {error}")),
    }
    warnings
}

fn raise_open_files() -> rustix::io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(Resource::Nofile, raised)
}

/// Reads `/proc/swaps`: a heading, then one line for each swap area, its name first.
fn swap_warning(swaps: &str) -> Option<String> {
    let areas: Vec<&str> = swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if areas.is_empty() {
        return None;
    }
    Some(format!(
        "swap is on ({}): secrets may reach the disk; switch it off or encrypt it",
        areas.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardened_process_dumps_nothing() {
        let warnings = process();
        assert!(
            warnings.iter().all(|warning| warning.starts_with("swap")),
            "{warnings:?}"
        );
        let core = rustix::process::getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
        let files = rustix::process::getrlimit(Resource::Nofile);
        assert_eq!(files.current, files.maximum);
    }

    #[test]
    fn swap_is_reported_by_name() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(swap_warning(heading), None);
        let on = format!("{heading}/dev/sda2                 partition\t1\t0\t-2\n");
        assert!(swap_warning(&on).unwrap().contains("/dev/sda2"));
    }
}
