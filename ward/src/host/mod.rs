//! A process of Ward on a host of its own: its folder, its settings file with comments, its first
//! day in the cluster. `ward up` does the same for a whole stack on one machine.
//!
//! ```text
//! a node's folder      node.toml  tls/  log/ state/ snapshots/ audit/   (first node: operator/)
//! a gateway's folder   gateway.toml  key.pem cert.pem ca.pem endpoints.toml  state/  archive/
//! any other identity   key.pem cert.pem ca.pem endpoints.toml
//! ```

pub(crate) mod checks;
pub(crate) mod gateway_file;
mod home;
pub(crate) mod node_file;

pub(crate) use home::{Home, not_utf8};

/// TOML's own quotes, so that no path or name breaks the file.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
