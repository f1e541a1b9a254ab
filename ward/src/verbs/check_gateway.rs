//! `ward gateway --check`: everything that keeps a gateway from running here, said at once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use gateway_proxy::config::Config;
use gateway_proxy::config::written::{ArchiveMode, Role, Written};
use gateway_proxy::socket::{listen_for_legs, listen_for_tunnels};
use kms_client::identity::{IdentityDir, Role as SpiffeRole};

use crate::host::checks;
use crate::report::Report;

/// Looks at the settings, and at everything they name. Binds each port for a moment; changes
/// nothing, and connects to no server: Ward does that for a device's flow alone.
pub(super) fn report(path: &Path) -> Report {
    let mut report = Report::default();
    let written = match Written::load(path) {
        Ok(written) => written,
        Err(error) => {
            report.error("settings", &error);
            return report;
        }
    };
    identity(&mut report, &written);
    if written.state_dir.exists() {
        checks::folder(&mut report, "state_dir", &written.state_dir);
    }
    listeners(&mut report, &written);
    match written.role {
        Role::Edge => devices(&mut report, &written),
        Role::Core => servers(&mut report, &written),
    }
    let problems = Config::problems(written);
    if problems.is_empty() {
        report.ok("settings", format!("{} is understood", path.display()));
    }
    for problem in &problems {
        report.error("settings", problem);
    }
    report
}

fn identity(report: &mut Report, written: &Written) {
    let dir = &written.identity_dir;
    if !checks::folder(report, "identity_dir", dir) {
        return;
    }
    checks::identity(report, dir);
    let Ok(identity) = IdentityDir::new(dir).load() else {
        return;
    };
    let id = identity.id();
    if id.role() != SpiffeRole::Gateway || id.id() != written.id {
        let finding = format!("{} is {id}, not gateway `{}`", dir.display(), written.id);
        report.fail(
            "id",
            finding,
            "set id to what the certificate says, or enrol this gateway",
        );
    }
    match IdentityDir::new(dir).load_endpoints() {
        Ok(nodes) => report.ok("KMS", format!("{} node(s) are known", nodes.len())),
        Err(error) => report.error("KMS", &error),
    }
}

fn listeners(report: &mut Report, written: &Written) {
    let running = gateway_proxy::is_running(&written.state_dir);
    let mut port = |name: &str, address: SocketAddr, legs: bool| {
        let bind = if legs {
            listen_for_legs
        } else {
            listen_for_tunnels
        };
        checks::port(report, name, &address.to_string(), running, || {
            bind(address)
        });
    };
    port("ops.listen", written.ops.listen, false);
    for (at, route) in written.routes.iter().enumerate() {
        port(&format!("route[{at}].listen"), route.listen, true);
    }
    for (at, reverse) in written.reverse_listeners.iter().enumerate() {
        let name = format!("reverse_listener[{at}].listen");
        port(&name, reverse.listen, true);
    }
    if let Some(tunnel) = &written.tunnel {
        port("tunnel.listen", tunnel.listen, false);
    }
}

fn devices(report: &mut Report, written: &Written) {
    if written.routes.is_empty() && written.reverse_routes.is_empty() {
        let remedy = "add a [[route]] for each port that a device connects to";
        report.warn("route", "no device has a route", remedy);
    }
    for (at, route) in written.routes.iter().enumerate() {
        name(report, &format!("route[{at}].core"), &route.core);
        let subject = format!("route[{at}].device");
        device(report, written, &subject, &route.device);
    }
    for (at, route) in written.reverse_routes.iter().enumerate() {
        name(report, &format!("reverse_route[{at}].core"), &route.core);
        let target = format!("reverse_route[{at}].target");
        name(report, &target, &route.target);
        let subject = format!("reverse_route[{at}].device");
        device(report, written, &subject, &route.device);
    }
}

fn device(report: &mut Report, written: &Written, subject: &str, device: &str) {
    let dir = written.state_dir.join("devices").join(device);
    if IdentityDir::new(&dir).has_certificate() {
        checks::identity(report, &dir);
        return;
    }
    let finding = format!("{device} has no certificate here yet");
    let remedy =
        format!("enrol it with `ward device enroll {device}`; the edge then gets one from the KMS");
    report.warn(subject, finding, remedy);
}

fn servers(report: &mut Report, written: &Written) {
    if written.services.is_empty() {
        let remedy = "add a [[service]] for each server behind this core";
        report.warn("service", "no server is named", remedy);
    }
    for (at, service) in written.services.iter().enumerate() {
        name(
            report,
            &format!("service[{at}].upstream"),
            &service.upstream,
        );
        if service.devices.is_empty() {
            let finding = format!("no device may reach `{}`", service.name);
            let remedy = "name the devices in `devices`";
            report.warn(format!("service[{at}].devices"), finding, remedy);
        }
    }
    let kept = written.archive.as_ref();
    if let Some(archive) = kept.filter(|archive| archive.mode == ArchiveMode::On)
        && archive.dir.exists()
    {
        checks::folder(report, "archive.dir", &archive.dir);
    }
}

/// Looks a name up, as each connection will; a name server may be away today.
fn name(report: &mut Report, subject: &str, address: &str) {
    match address.to_socket_addrs() {
        Ok(found) if found.len() > 0 => report.ok(subject, format!("{address} is known")),
        Ok(_) => report.warn(subject, format!("{address} has no address"), NAME),
        // What is no HOST:PORT at all is told with the settings.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {}
        Err(error) => report.warn(subject, format!("{address} is not found: {error}"), NAME),
    }
}

const NAME: &str = "check the name, /etc/hosts and the name server, or write an address";
