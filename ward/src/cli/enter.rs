//! `ward init`, `ward token`, `ward enroll`: how hosts and people enter a cluster.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use kms_client::identity::Role;
use kms_client::model::GatewayRole;
use zeroize::Zeroizing;

use super::duration;
use super::sha256::Sha256;
use crate::route::HostPort;

/// The first node of a new cluster.
#[derive(Args, Debug)]
pub(crate) struct InitArguments {
    /// The node's folder, made where it is missing; its data and node.toml are in it.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The name or address by which others reach this host; not needed where DIR/node.toml is.
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub(crate) host: Option<String>,
    /// The first of the node's four ports (api, peer, join, ops).
    #[arg(long, value_name = "N", default_value_t = NODE_PORT, value_parser = first_port())]
    pub(crate) port: u16,
    /// Where the root seal is, or is made [default: DIR/seal/root].
    #[arg(long, value_name = "FILE")]
    pub(crate) seal: Option<PathBuf>,
    /// The first operator's id.
    #[arg(long, value_name = "ID", default_value = "operator")]
    pub(crate) operator: String,
    /// The folder of the operator's identity [default: DIR/operator].
    #[arg(long, value_name = "DIR")]
    pub(crate) operator_out: Option<PathBuf>,
    /// The first part of every identity, spiffe://NAME/…; never changes.
    #[arg(long, value_name = "NAME", default_value = "ward.local")]
    pub(crate) trust_domain: String,
}

/// What to do with join tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Invite one node, gateway, application or operator, and print what it types.
    Create(TokenArguments),
}

/// Whom to invite.
#[derive(Args, Debug)]
pub(crate) struct TokenArguments {
    /// What it becomes.
    #[arg(long, value_name = "ROLE", value_enum)]
    pub(crate) role: Guest,
    /// Its id: 1 to 64 of a-z 0-9 - . _; a node gets its own from the cluster.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// How long the token can be used: 30s, 10m, 2h; at most 24h.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = life)]
    pub(crate) ttl: Duration,
}

/// Who can be invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Guest {
    /// A node of the KMS.
    Node,
    /// A gateway beside devices.
    Edge,
    /// A gateway beside servers.
    Core,
    /// An application that uses keys.
    App,
    /// A person or script that administers.
    Operator,
}

impl Guest {
    /// What it is to the cluster; edge and core are told apart when they announce themselves.
    pub(crate) fn role(self) -> Role {
        match self {
            Self::Node => Role::Node,
            Self::Edge | Self::Core => Role::Gateway,
            Self::App => Role::App,
            Self::Operator => Role::Operator,
        }
    }

    /// Which half of a pair it is.
    pub(crate) fn side(self) -> Option<GatewayRole> {
        match self {
            Self::Edge => Some(GatewayRole::Edge),
            Self::Core => Some(GatewayRole::Core),
            Self::Node | Self::App | Self::Operator => None,
        }
    }

    /// The word that is typed.
    pub(crate) fn word(self) -> &'static str {
        self.side()
            .map_or_else(|| self.role().as_str(), GatewayRole::as_str)
    }
}

/// How to enter.
#[derive(Args)]
pub(crate) struct EnrollArguments {
    /// The join listener of any node, HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", value_parser = endpoint)]
    pub(crate) endpoint: String,
    /// SHA-256 of the cluster's authority, as `ward token create` shows it.
    #[arg(long, value_name = "HEX")]
    pub(crate) ca_sha256: Sha256,
    /// The token, or - to read it from standard input.
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    pub(crate) token: Zeroizing<String>,
    /// The folder of the new identity; its key is made there and stays there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// What the token is for; a gateway must say edge or core.
    #[arg(long, value_name = "ROLE", value_enum)]
    pub(crate) role: Option<Guest>,
    /// Node: the name or address by which others reach this host.
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub(crate) host: Option<String>,
    /// Node and gateway: the first of its ports [default: 7100 for a node, 7200 for a gateway].
    #[arg(long, value_name = "N", value_parser = first_port())]
    pub(crate) port: Option<u16>,
    /// Node: where the root seal is [default: DIR/seal/root].
    #[arg(long, value_name = "FILE")]
    pub(crate) seal: Option<PathBuf>,
}

impl std::fmt::Debug for EnrollArguments {
    /// Without the token.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("EnrollArguments")
            .field("endpoint", &self.endpoint)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}

fn first_port() -> clap::builder::RangedI64ValueParser<u16> {
    // Three more follow it.
    clap::value_parser!(u16).range(1..=i64::from(u16::MAX) - 3)
}

fn token(text: &str) -> Result<Zeroizing<String>, std::convert::Infallible> {
    Ok(Zeroizing::new(text.to_owned()))
}

/// As typed, once it is an address with a port that is not 0.
fn endpoint(text: &str) -> Result<String, String> {
    let address: HostPort = text.parse()?;
    match address.port() {
        0 => Err("the port cannot be 0".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A name or address without a port; v6 without brackets.
fn host(text: &str) -> Result<String, String> {
    let is_address = text.parse::<std::net::IpAddr>();
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    let usable = match is_address {
        Ok(address) => !address.is_unspecified(),
        Err(_) => !text.is_empty() && text.len() <= HOST_BYTES_MAX && text.chars().all(fit),
    };
    match usable {
        true => Ok(text.to_owned()),
        false => Err("write a name or an address of this host, without a port".to_owned()),
    }
}

pub(super) fn life(text: &str) -> Result<Duration, &'static str> {
    duration::read(text, "smh", LIFE_MAX)
        .ok_or("write a number and s, m or h, such as 10m; at most 24h")
}

/// The first of a node's ports when nobody says so.
pub(crate) const NODE_PORT: u16 = 7100;
/// The first of a gateway's ports when nobody says so.
pub(crate) const GATEWAY_PORT: u16 = 7200;
/// RFC 1035: a host name has at most 255 octets.
const HOST_BYTES_MAX: usize = 255;
/// What the cluster grants at most.
const LIFE_MAX: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_numbers_with_a_unit() {
        assert_eq!(life("10m").unwrap(), Duration::from_secs(600));
        assert_eq!(life("24h").unwrap(), Duration::from_secs(86_400));
        for odd in ["", "10", "0s", "25h", "-1m", "m", "1d", "10é"] {
            assert!(life(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn hosts_have_no_port() {
        for good in ["10.20.0.1", "::1", "kms-1.hospital.example"] {
            assert_eq!(host(good).unwrap(), good);
        }
        for odd in ["", "10.20.0.1:7100", "[::1]", "0.0.0.0", "::", "a b"] {
            assert!(host(odd).is_err(), "{odd}");
        }
    }
}
