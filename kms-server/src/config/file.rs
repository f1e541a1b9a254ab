//! `node.toml` as it is written; unknown entries are refused, so that a misspelt one is noticed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The whole file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Where everything the node keeps is.
    pub data_dir: PathBuf,
    /// What it binds, `host:port` each.
    pub listen: ListenSection,
    /// What it tells others; absent entries tell what is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertise: Option<AdvertiseSection>,
    /// How it gets the root key.
    pub seal: SealSection,
    /// How the membership is kept; absent entries have their defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<MembershipSection>,
    /// How the log is kept; absent entries have their defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSection>,
    /// Hints for the first contact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerSection>,
}

/// What a node binds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ListenSection {
    /// Clients.
    pub api: String,
    /// Other nodes.
    pub peer: String,
    /// Joiners.
    pub join: String,
    /// Health and metrics.
    pub ops: String,
}

/// What a node tells others.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AdvertiseSection {
    /// For clients.
    pub api: Option<String>,
    /// For other nodes.
    pub peer: Option<String>,
    /// For joiners.
    pub join: Option<String>,
}

/// How a node gets the root key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SealSection {
    /// From a file that only its owner reads.
    pub file: FileSealSection,
}

/// A seal secret in a file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileSealSection {
    /// 32 secret bytes, mode 0600.
    pub path: PathBuf,
}

/// How the membership is kept, by whoever leads.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipSection {
    /// For how many seconds a new node must keep up without a break before it votes.
    pub steady_s: Option<u64>,
}

/// How the log is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogSection {
    /// How many entries after a snapshot the next one is written: fewer make a start shorter and
    /// write the state more often.
    pub snapshot_entries: Option<u64>,
}

/// Where a member was last known to be.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSection {
    /// The N of `node-N`.
    pub node_id: u64,
    /// Its peer listener, `host:port`.
    pub address: String,
}

impl ConfigFile {
    /// Reads the file at `path`; its values are not looked at yet.
    ///
    /// # Errors
    /// When it cannot be read or is not understood.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            detail: error.to_string(),
        })
    }

    /// The text of the file.
    ///
    /// # Errors
    /// When a path is not UTF-8, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
data_dir = "/var/lib/ward/node-1"
[listen]
api = "127.0.0.1:7101"
peer = "127.0.0.1:7201"
join = "127.0.0.1:7301"
ops = "127.0.0.1:7401"
[seal.file]
path = "/var/lib/ward/seal/root"
[[peers]]
node_id = 2
address = "127.0.0.1:7202"
"#;

    #[test]
    fn reads_what_it_wrote() {
        let file: ConfigFile = toml::from_str(TEXT).unwrap();
        let again: ConfigFile = toml::from_str(&file.to_toml().unwrap()).unwrap();
        assert_eq!(again.listen.ops, "127.0.0.1:7401");
        assert_eq!(again.peers[0].node_id, 2);
    }

    #[test]
    fn refuses_a_misspelt_entry() {
        let misspelt = TEXT.replace("ops =", "opps =");
        assert!(toml::from_str::<ConfigFile>(&misspelt).is_err());
    }
}
