//! Whether the services of a `--level restrict` are there.
//!
//! The cluster does not know what services are called: each core's gateway.toml names its own. A
//! name that none has keeps nothing open, so that restricting to it cuts the device off. In a data
//! directory of `ward up` the only core's file is at hand.

use std::path::Path;

use gateway_proxy::config::written::Written;

use crate::cli::Global;
use crate::error::Failure;
use crate::output::say;
use crate::up::ClusterFile;

/// Says which of the services asked for keep nothing open, as far as that is known here; an order
/// in an emergency is not held up by it.
pub(super) fn check(global: &Global, device_id: &str, asked: &[String]) -> Result<(), Failure> {
    let Some(first) = asked.first() else {
        return Ok(());
    };
    let Some(served) = served(&global.data_dir, device_id)? else {
        say(format_args!(
            "A service is called what its core's gateway.toml names it; the cluster cannot tell \
             whether one is called `{first}`. A name that no core has keeps nothing open."
        ));
        return Ok(());
    };
    let reaches = match served.as_slice() {
        [] => "the device has none".to_owned(),
        _ => format!("the device has {}", served.join(", ")),
    };
    for unknown in asked.iter().filter(|service| !served.contains(service)) {
        say(format_args!(
            "The core here has no `{unknown}` for {device_id}, so that it keeps nothing open: \
             {reaches}."
        ));
    }
    Ok(())
}

/// What the core of this data directory has for the device; `None` when the directory is not one
/// of `ward up`.
fn served(dir: &Path, device_id: &str) -> Result<Option<Vec<String>>, Failure> {
    if ClusterFile::load(&dir.join("cluster.toml"))?.is_none() {
        return Ok(None);
    }
    let Ok(core) = Written::load(&dir.join("core").join("gateway.toml")) else {
        return Ok(None);
    };
    Ok(Some(of_device(core, device_id)))
}

/// What the device may reach, and by what it may be reached.
fn of_device(core: Written, device_id: &str) -> Vec<String> {
    let services = core.services.into_iter();
    let reaches = services.filter(|service| service.devices.iter().any(|it| it == device_id));
    let listeners = core.reverse_listeners.into_iter();
    let reached_by = listeners.filter(|listener| listener.device == device_id);
    let names = reaches.map(|service| service.name);
    names
        .chain(reached_by.map(|listener| listener.service))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_a_device_have_names() {
        let core = r#"
            id = "core"
            role = "core"
            identity_dir = "/i"
            state_dir = "/s"
            ops = { listen = "127.0.0.1:1" }
            service = [
                { name = "pacs", protocol = "dicom", upstream = "h:1", devices = ["ct-1"] },
                { name = "ehr", protocol = "hl7", upstream = "h:2", devices = ["mon-1"] },
            ]
            [[reverse_listener]]
            device = "ct-1"
            protocol = "dicom"
            listen = "127.0.0.1:2"
            service = "ct-back"
            [[reverse_listener]]
            device = "mr-1"
            protocol = "dicom"
            listen = "127.0.0.1:3"
            service = "mr-back"
        "#;
        let core: Written = toml::from_str(core).unwrap();
        assert_eq!(of_device(core, "ct-1"), ["pacs", "ct-back"]);
    }
}
