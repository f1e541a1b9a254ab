//! Finds everything that is wrong with a written configuration, where [`Config::from_file`] stops
//! at the first: an engineer mends a file once, not once a mistake.

use std::net::IpAddr;

use super::{
    Config, ConfigError, ConfigFile, HostPort, address, optional, snapshot_entries, steady_time,
};

impl Config {
    /// Lists what keeps `file` from being used on a host of its own; empty when nothing does.
    ///
    /// Beside what [`from_file`](Self::from_file) refuses, that is what others could never use: a
    /// port that the system chooses, and an address that means every machine.
    #[must_use]
    pub fn problems(file: &ConfigFile) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let mut keep = |parsed: Result<Option<HostPort>, ConfigError>| match parsed {
            Ok(parsed) => parsed,
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let written = file.advertise.clone().unwrap_or_default();
        let api = keep(address("listen.api", &file.listen.api).map(Some));
        let peer = keep(address("listen.peer", &file.listen.peer).map(Some));
        let join = keep(address("listen.join", &file.listen.join).map(Some));
        keep(address("listen.ops", &file.listen.ops).map(Some));
        let told = [
            (
                "api",
                keep(optional("advertise.api", written.api.as_deref())),
                api,
            ),
            (
                "peer",
                keep(optional("advertise.peer", written.peer.as_deref())),
                peer,
            ),
            (
                "join",
                keep(optional("advertise.join", written.join.as_deref())),
                join,
            ),
        ];
        for hint in &file.peers {
            keep(address("peers.address", &hint.address).map(Some));
        }
        for (listener, advertised, bound) in told {
            let Some(told) = advertised.or(bound) else {
                continue;
            };
            if told.port() == 0 {
                problems.push(ConfigError::PortUnknown { listener });
            }
            if means_every_machine(&told) {
                problems.push(ConfigError::AddressUnknown { listener });
            }
        }
        problems.extend(steady_time(file.membership.as_ref()).err());
        problems.extend(snapshot_entries(file.log.as_ref()).err());
        problems
    }
}

/// Whether it is `0.0.0.0` or `[::]`: good to listen on, no place to connect to.
fn means_every_machine(address: &HostPort) -> bool {
    let host = address
        .as_str()
        .rsplit_once(':')
        .map_or("", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(changes: &[(&str, &str)]) -> Vec<String> {
        let mut text = r#"
data_dir = "/var/lib/ward/node"
[listen]
api = "10.20.0.1:7100"
peer = "10.20.0.1:7101"
join = "10.20.0.1:7102"
ops = "127.0.0.1:7103"
[seal.file]
path = "/etc/ward/seal/root"
"#
        .to_owned();
        for (from, to) in changes {
            text = text.replace(from, to);
        }
        let file = toml::from_str(&text).unwrap();
        let told = |problem: &ConfigError| sys::talk::chain(problem);
        Config::problems(&file).iter().map(told).collect()
    }

    #[test]
    fn a_good_file_has_no_problem() {
        assert_eq!(problems(&[]), [""; 0]);
        let behind = "[advertise]\napi = \"kms-1:7100\"\n[seal.file]";
        let anywhere = ("10.20.0.1:7100", "0.0.0.0:7100");
        assert_eq!(problems(&[anywhere, ("[seal.file]", behind)]), [""; 0]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let found = problems(&[
            ("10.20.0.1:7100", "10.20.0.1"),
            ("10.20.0.1:7101", "10.20.0.1:0"),
            ("10.20.0.1:7102", "0.0.0.0:7102"),
            ("127.0.0.1:7103", "::1:7103"),
            (
                "[seal.file]",
                "[membership]\nsteady_s = 3601\n[log]\nsnapshot_entries = 49\n[seal.file]",
            ),
        ]);
        assert_eq!(found.len(), 6, "{found:?}");
        let words = [
            "listen.api",
            "listen.ops",
            "port is 0",
            "advertise.join",
            "steady_s is 3601",
            "snapshot_entries is 49",
        ];
        for (at, word) in words.iter().enumerate() {
            assert!(found[at].contains(word), "{word}: {found:?}");
        }
    }
}
