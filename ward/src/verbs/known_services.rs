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
        [] => "it reaches none".to_owned(),
        _ => format!("it reaches {}", served.join(", ")),
    };
    for unknown in asked.iter().filter(|service| !served.contains(service)) {
        say(format_args!(
            "The core here serves no `{unknown}` to {device_id}, so that it keeps nothing open: \
             {reaches}."
        ));
    }
    Ok(())
}

/// What the core of this data directory serves to the device; `None` when the directory is not one
/// of `ward up`.
fn served(dir: &Path, device_id: &str) -> Result<Option<Vec<String>>, Failure> {
    if ClusterFile::load(&dir.join("cluster.toml"))?.is_none() {
        return Ok(None);
    }
    let Ok(core) = Written::load(&dir.join("core").join("gateway.toml")) else {
        return Ok(None);
    };
    let services = core.services.into_iter();
    let mine = services.filter(|service| service.devices.iter().any(|it| it == device_id));
    Ok(Some(mine.map(|service| service.name).collect()))
}
