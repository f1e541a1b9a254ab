//! Finds everything that is wrong with a written configuration, where [`Config::check`] stops at
//! the first: an engineer mends a file once, not once a mistake.

use super::written::{Role, Written};
use super::{Config, ConfigError, one_line, parse, reverse, route, service, threads};
use crate::ids::GatewayId;
use crate::limits::CONFIG_BYTES_MAX;

impl Written {
    /// Reads the file at `path`; its values are not looked at yet.
    ///
    /// # Errors
    /// When it cannot be read or is not the TOML that is expected.
    pub fn load(path: &std::path::Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        if std::fs::metadata(path).map_err(unreadable)?.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
            });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            message: one_line(&error.to_string()),
        })
    }
}

impl Config {
    /// Lists what keeps `written` from being used; empty when nothing does.
    #[must_use]
    pub fn problems(written: Written) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        problems.extend(parse::<GatewayId>("id", &written.id).err());
        problems.extend(threads(written.threads).err());
        match written.role {
            Role::Edge => {
                let routes = written.routes.iter().enumerate();
                problems.extend(routes.filter_map(|entry| route(entry).err()));
                let routes = written.reverse_routes.iter().enumerate();
                problems.extend(routes.filter_map(|entry| reverse::route(entry).err()));
            }
            Role::Core => {
                let services = written.services.iter().enumerate();
                problems.extend(services.filter_map(|entry| service(entry).err()));
                let listeners = written.reverse_listeners.iter().enumerate();
                problems.extend(listeners.filter_map(|entry| reverse::listener(entry).err()));
            }
        }
        if problems.is_empty() {
            // What concerns several entries can only be judged where each is good.
            problems.extend(Self::check(written).err());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_at_once() {
        let text = r#"
id = "Edge 1"
role = "edge"
identity_dir = "/var/lib/ward/edge"
state_dir = "/var/lib/ward/edge/state"
threads = 0
[ops]
listen = "127.0.0.1:7203"
[[route]]
device = "mon 1"
protocol = "hl7"
listen = "10.20.0.4:2575"
core = "10.20.0.5:7200"
core_id = "core-1"
service = "lab"
[[route]]
device = "mon-2"
protocol = "hl7"
listen = "10.20.0.4:2576"
core = "10.20.0.5"
core_id = "core-1"
service = "lab"
[[reverse_route]]
device = "ct-1"
protocol = "dicom"
target = "192.0.2.7"
core = "10.20.0.5:7200"
core_id = "core-1"
service = "images"
"#;
        let found = Config::problems(toml::from_str(text).unwrap());
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let fields = [
            "id",
            "threads",
            "route[0].device",
            "route[1].core",
            "reverse_route[0].target",
        ];
        assert_eq!(found.len(), fields.len(), "{found:?}");
        for (found, field) in found.iter().zip(fields) {
            assert!(found.starts_with(field), "{field}: {found}");
        }
    }

    #[test]
    fn what_concerns_two_entries_is_told_too() {
        let text = r#"
id = "edge-1"
role = "edge"
identity_dir = "i"
state_dir = "s"
[ops]
listen = "127.0.0.1:7203"
[tunnel]
listen = "0.0.0.0:7200"
"#;
        let found = Config::problems(toml::from_str(text).unwrap());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].to_string().starts_with("tunnel"), "{found:?}");
    }
}
