//! `ward node --check`: everything that keeps a node from running on this host, said at once.

use std::net::TcpListener;
use std::path::Path;

use kms_server::Config;
use kms_server::config::ConfigFile;
use kms_server::seal::FileSeal;

use crate::host::checks;
use crate::report::Report;

/// Looks at the settings, and at everything they name. Binds each port for a moment; changes
/// nothing.
pub(super) fn report(path: &Path) -> Report {
    let mut report = Report::default();
    let file = match ConfigFile::load(path) {
        Ok(file) => file,
        Err(error) => {
            report.error("settings", &error);
            return report;
        }
    };
    let problems = Config::problems(&file);
    if problems.is_empty() {
        report.ok("settings", format!("{} is understood", path.display()));
    }
    for problem in &problems {
        report.error("settings", problem);
    }
    data(&mut report, &file.data_dir);
    seal(&mut report, &file.seal.file.path);
    let listeners = [
        ("listen.api", &file.listen.api),
        ("listen.peer", &file.listen.peer),
        ("listen.join", &file.listen.join),
        ("listen.ops", &file.listen.ops),
    ];
    let running = is_running(&file.data_dir);
    for (name, address) in listeners {
        checks::port(&mut report, name, address, running, || {
            TcpListener::bind(address)
        });
    }
    report
}

fn data(report: &mut Report, dir: &Path) {
    if !checks::folder(report, "data_dir", dir) {
        return;
    }
    match kms_server::node::given(dir) {
        Ok(Some(given)) if given.removed => report.fail(
            "membership",
            format!("node-{} was removed from the cluster", given.node_id),
            "enter the cluster again with `ward enroll`, in a new folder",
        ),
        Ok(Some(given)) => report.ok("membership", format!("this is node-{}", given.node_id)),
        Ok(None) => report.fail(
            "membership",
            format!("{} belongs to no cluster yet", dir.display()),
            "make a cluster with `ward init`, or enter one with `ward enroll`",
        ),
        Err(error) => report.error("membership", &error),
    }
    checks::identity(report, &dir.join("tls"));
}

fn seal(report: &mut Report, path: &Path) {
    if matches!(path.try_exists(), Ok(false)) {
        let remedy = "copy the root seal of another node there, mode 600, owned by the node's user";
        let finding = format!("{} is missing; the node would stay sealed", path.display());
        report.fail("root seal", finding, remedy);
        return;
    }
    match FileSeal::open(path) {
        Ok(_) => report.ok(
            "root seal",
            format!("{} is readable to its owner only", path.display()),
        ),
        Err(error) => report.error("root seal", &error),
    }
}

/// Whether a process holds the node's directory.
fn is_running(dir: &Path) -> bool {
    sys::file::Lock::is_held(&dir.join("node.lock"))
}
