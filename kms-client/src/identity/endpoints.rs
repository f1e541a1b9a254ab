//! Where the nodes are: `endpoints.toml` of an identity folder.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::limits::ENDPOINTS_MAX;
use crate::reason::Reason;

/// The N of `node-N`; never given twice in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node-{}", self.0)
    }
}

/// Where one node is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Which node.
    pub node_id: NodeId,
    /// For clients, `host:port`.
    pub api: String,
    /// For joiners, `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    endpoint: Vec<Endpoint>,
}

/// Reads the text of `endpoints.toml`.
pub(super) fn parse(text: &str) -> Result<Vec<Endpoint>, Error> {
    let file: File = toml::from_str(text).map_err(|error| {
        Error::new(
            Reason::Storage,
            "endpoints.toml is malformed; write [[endpoint]] tables",
        )
        .with_source(error)
    })?;
    check(file.endpoint)
}

/// Writes the text of `endpoints.toml`.
pub(super) fn write(endpoints: &[Endpoint]) -> Result<String, Error> {
    let file = File {
        endpoint: check(endpoints.to_vec())?,
    };
    toml::to_string(&file).map_err(|error| {
        Error::new(Reason::Internal, "endpoints.toml cannot be written").with_source(error)
    })
}

/// Refuses an empty or overlong list, and two entries for one node.
fn check(endpoints: Vec<Endpoint>) -> Result<Vec<Endpoint>, Error> {
    if endpoints.is_empty() || endpoints.len() > ENDPOINTS_MAX {
        let message = format!("endpoints.toml must name 1 to {ENDPOINTS_MAX} nodes");
        return Err(Error::new(Reason::Storage, message));
    }
    for (at, endpoint) in endpoints.iter().enumerate() {
        if endpoints[..at]
            .iter()
            .any(|other| other.node_id == endpoint.node_id)
        {
            let message = format!("endpoints.toml names {} twice", endpoint.node_id);
            return Err(Error::new(Reason::Storage, message));
        }
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(node: u64) -> Endpoint {
        Endpoint {
            node_id: NodeId(node),
            api: format!("127.0.0.1:{}", 7100 + node),
            join: None,
        }
    }

    #[test]
    fn endpoints_read_back_as_they_were_written() {
        let mut endpoints = vec![endpoint(1), endpoint(7)];
        endpoints[1].join = Some("[::1]:7301".into());
        let text = write(&endpoints).unwrap();
        assert!(
            text.contains("[[endpoint]]\nnode_id = 1\napi = \"127.0.0.1:7101\"\n"),
            "{text}"
        );
        assert_eq!(parse(&text).unwrap(), endpoints);
    }

    #[test]
    fn lists_that_cannot_be_meant_are_refused() {
        for text in [
            "",
            "[[endpoint]]",
            "[[endpoint]]\nnode_id = 1",
            "[[endpoint]]\nnode_id = 1\napi = \"a:1\"\nextra = 1",
            "[[endpoint]]\nnode_id = 1\napi = \"a:1\"\n[[endpoint]]\nnode_id = 1\napi = \"b:1\"",
        ] {
            assert_eq!(parse(text).unwrap_err().reason(), Reason::Storage, "{text}");
        }
        let many: Vec<_> = (0..=ENDPOINTS_MAX as u64).map(endpoint).collect();
        assert!(write(&many).is_err());
    }
}
