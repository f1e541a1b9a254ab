//! What `--check` and `ward doctor` look at on either kind of host.

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kms_client::identity::IdentityDir;

use crate::report::Report;
use crate::text::time;

/// Looks whether a folder is there, writable, and for its owner alone. Answers whether it is there.
pub(crate) fn folder(report: &mut Report, subject: &str, dir: &Path) -> bool {
    let shown = dir.display();
    let facts = match std::fs::metadata(dir) {
        Ok(facts) => facts,
        Err(error) => {
            let remedy = "enter the cluster with `ward init` or `ward enroll`, or correct the path";
            report.fail(subject, format!("{shown} cannot be used: {error}"), remedy);
            return false;
        }
    };
    let mode = facts.mode() & 0o7777;
    let owner = rustix::fs::access(
        dir,
        rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
    );
    if owner.is_err() {
        let finding = format!("{shown} cannot be written by this user");
        let remedy =
            "run the check as the user who runs the service, or `chown -R` it to that user";
        report.fail(subject, finding, remedy);
    } else if mode & 0o077 != 0 {
        let finding = format!("{shown} has mode {mode:o}");
        report.warn(
            subject,
            finding,
            format!("close it to others: chmod 700 {shown}"),
        );
    } else {
        report.ok(subject, format!("{shown} is this user's alone"));
    }
    true
}

/// Looks at the key, the certificate and its dates.
pub(crate) fn identity(report: &mut Report, dir: &Path) {
    let identity = match IdentityDir::new(dir).load() {
        Ok(identity) => identity,
        Err(error) => return report.error("certificate", &error),
    };
    let key = dir.join("key.pem");
    let mode = std::fs::metadata(&key).map_or(0, |facts| facts.mode() & 0o7777);
    if mode & 0o077 != 0 {
        let finding = format!("{} has mode {mode:o}: others can read it", key.display());
        report.fail(
            "private key",
            finding,
            format!("chmod 600 {}", key.display()),
        );
    }
    let (facts, now_ms) = (identity.facts(), sys::clock::wall_ms());
    let (id, until) = (identity.id(), time(facts.not_after_ms));
    if facts.is_expired(now_ms) {
        let remedy = "check the clock; a running process renews it as soon as it reaches the KMS";
        report.warn("certificate", format!("{id} ended at {until}"), remedy);
    } else if now_ms < facts.not_before_ms {
        let begins = time(facts.not_before_ms);
        let remedy = "set this machine's clock; it is before the certificate";
        report.warn("certificate", format!("{id} begins at {begins}"), remedy);
    } else if facts.is_due_for_renewal(now_ms) {
        let finding = format!("{id} is valid until {until}, and due for renewal");
        let remedy = "see that the KMS can be reached; a running process renews it by itself";
        report.warn("certificate", finding, remedy);
    } else {
        report.ok("certificate", format!("{id} is valid until {until}"));
    }
}

/// Binds a port for a moment. Of a process that runs, one that is taken is taken by itself.
pub(crate) fn port(
    report: &mut Report,
    subject: &str,
    address: &str,
    runs: bool,
    bind: impl FnOnce() -> io::Result<TcpListener>,
) {
    let error = match bind() {
        Ok(_listener) => return report.ok(subject, format!("{address} can be bound")),
        Err(error) if runs && error.kind() == io::ErrorKind::AddrInUse => {
            return report.ok(
                subject,
                format!("{address} is in use, and this process runs"),
            );
        }
        Err(error) => error,
    };
    // What is no HOST:PORT at all is told with the settings.
    let kind = error.kind();
    if kind == io::ErrorKind::InvalidInput {
        return;
    }
    let remedy = if kind == io::ErrorKind::AddrInUse {
        "another program has it: stop that (see `ss -ltnp`), or choose another port"
    } else if kind == io::ErrorKind::PermissionDenied {
        "ports below 1024 need CAP_NET_BIND_SERVICE"
    } else {
        "choose an address of this host, see `ip address`"
    };
    report.fail(
        subject,
        format!("{address} cannot be bound: {error}"),
        remedy,
    );
}
