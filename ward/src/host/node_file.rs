//! `node.toml` with comments, for a node on a host of its own.

use std::fmt::Write;
use std::net::IpAddr;

use kms_client::join::Member;

use super::quoted;

/// What a new file says.
pub(crate) struct NodeFile<'a> {
    /// Where everything the node keeps is.
    pub(crate) data_dir: &'a str,
    /// The name or address by which others reach this host.
    pub(crate) host: &'a str,
    /// The first of the four ports.
    pub(crate) port: u16,
    /// The root seal.
    pub(crate) seal: &'a str,
    /// The members that are known.
    pub(crate) members: &'a [Member],
}

impl NodeFile<'_> {
    /// The file.
    pub(crate) fn text(&self) -> String {
        let data_dir = quoted(self.data_dir);
        let seal = quoted(self.seal);
        let listen = self.listen();
        let advertise = self.advertise();
        let mut text = format!(
            "\
# One node of Ward's KMS. Yours to edit; restart the node afterwards.
# What is wrong with it, all at once:  ward node --config THIS_FILE --check

# Everything the node keeps: its key and certificate, the log, the audit records. Only its user
# may read it. Never copy it to another node.
data_dir = {data_dir}

# What this process binds, HOST:PORT each.
[listen]
{listen}

# What others are told, where it differs from what is bound: a name, or an address behind NAT.
{advertise}

# The root seal: 32 secret bytes, the same on every node, mode 600, owned by the node's user.
# Without it the node votes and stores ciphertext, and serves nothing but its status.
[seal.file]
path = {seal}

# For how many seconds a new node must keep up without a break before it votes.
# [membership]
# steady_s = 5

# How many changes after a snapshot the next one is written: fewer make a start shorter and write
# the state more often.
# [log]
# snapshot_entries = 50000

# Where to look for other members first; once this node is one, the cluster itself knows.
"
        );
        for member in self.members {
            let address = quoted(&member.addresses.peer);
            let id = member.node_id.0;
            let entry = format!("[[peers]]\nnode_id = {id}\naddress = {address}\n");
            text.push_str(&entry);
        }
        text
    }

    /// An address is bound as it is. A name is not: many hosts map their own to loopback.
    fn listen(&self) -> String {
        let host = if self.is_name() { "0.0.0.0" } else { self.host };
        let [api, peer, join] = self.addresses(host).map(|address| quoted(&address));
        let ops = quoted(&format!("127.0.0.1:{}", self.port.saturating_add(3)));
        format!(
            "\
# Operators, gateways and applications: mutual TLS.
api = {api}
# The other nodes: mutual TLS, known by public key.
peer = {peer}
# Who has a join token and no certificate yet.
join = {join}
# Health and metrics in clear (/ready, /metrics): this machine or the management network only.
ops = {ops}"
        )
    }

    fn advertise(&self) -> String {
        let comment = if self.is_name() { "" } else { "# " };
        let mut lines = format!("{comment}[advertise]");
        for (name, address) in ["api", "peer", "join"]
            .iter()
            .zip(self.addresses(self.host))
        {
            let address = quoted(&address);
            // Writing to a string cannot fail.
            write!(lines, "\n{comment}{name} = {address}").unwrap_or_default();
        }
        lines
    }

    fn addresses(&self, host: &str) -> [String; 3] {
        [0, 1, 2].map(|more| host_port(host, self.port.saturating_add(more)))
    }

    fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }
}

/// `host:port`, an address of IPv6 in brackets.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(IpAddr::V6(host)) => format!("[{host}]:{port}"),
        Ok(IpAddr::V4(_)) | Err(_) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use kms_client::identity::NodeId;
    use kms_client::join::NodeAddresses;
    use kms_server::config::{Config, ConfigFile};

    use super::*;

    fn read(host: &str) -> ConfigFile {
        let member = Member {
            node_id: NodeId(1),
            addresses: NodeAddresses {
                api: "10.20.0.1:7100".into(),
                peer: "10.20.0.1:7101".into(),
                join: "10.20.0.1:7102".into(),
            },
            public_key_der: Vec::new(),
        };
        let text = NodeFile {
            data_dir: "/var/lib/ward/\"node\"",
            host,
            port: 7100,
            seal: "/etc/ward/seal/root",
            members: &[member],
        }
        .text();
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_written_has_no_problem() {
        for host in ["10.20.0.2", "2001:db8::2", "kms-2.hospital.example"] {
            let file = read(host);
            let problems = Config::problems(&file);
            assert!(problems.is_empty(), "{host}: {problems:?}");
            let config = Config::from_file(file).unwrap();
            assert_eq!(config.peers.len(), 1);
            assert!(config.data_dir.ends_with("\"node\""));
        }
    }

    #[test]
    fn a_name_is_told_and_not_bound() {
        let file = read("kms-2.hospital.example");
        assert_eq!(file.listen.peer, "0.0.0.0:7101");
        let told = file.advertise.unwrap();
        assert_eq!(told.peer.unwrap(), "kms-2.hospital.example:7101");
        assert!(read("10.20.0.2").advertise.is_none());
        assert_eq!(read("2001:db8::2").listen.api, "[2001:db8::2]:7100");
    }
}
