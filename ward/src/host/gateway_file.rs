//! `gateway.toml` with comments, for a gateway on a host of its own.

use kms_client::model::GatewayRole;

use super::quoted;

/// What a new file says.
pub(crate) struct GatewayFile<'a> {
    /// The gateway's id.
    pub(crate) id: &'a str,
    /// Which half of a pair it is.
    pub(crate) role: GatewayRole,
    /// Its folder, which is its identity.
    pub(crate) home: &'a str,
    /// The first of its ports.
    pub(crate) port: u16,
}

impl GatewayFile<'_> {
    /// The file.
    pub(crate) fn text(&self) -> String {
        let Self { home, port, .. } = self;
        let (id, role) = (quoted(self.id), quoted(self.role.as_str()));
        let (identity, state) = (quoted(home), quoted(&format!("{home}/state")));
        let ops = quoted(&format!("127.0.0.1:{}", port.saturating_add(3)));
        let rest = match self.role {
            GatewayRole::Edge => edge(),
            GatewayRole::Core => core(*port, home),
        };
        format!(
            "\
# One gateway of Ward. Yours to edit; restart the gateway afterwards.
# What is wrong with it, all at once:  ward gateway --config THIS_FILE --check

# Who this gateway is; its certificate says the same.
id = {id}
role = {role}
# Its key and certificate, and where the KMS is.
identity_dir = {identity}
# What it keeps, such as the keys and certificates of its devices. Only its user may read it.
state_dir = {state}

# Health and metrics in clear (/ready, /metrics): this machine or the management network only.
[ops]
listen = {ops}
{rest}"
        )
    }
}

fn edge() -> String {
    "
# The devices, one [[route]] for each port that one connects to. Enrol the device first
# (`ward device enroll mon-1 --gateway ID_OF_THIS_GATEWAY`). PROTOCOL: hl7, dicom, tcp.
#
# [[route]]
# device = \"mon-1\"
# protocol = \"hl7\"
# listen = \"10.20.0.4:2575\"          # where the device connects
# core = \"10.20.0.5:7200\"            # tunnel listener of the core gateway
# core_id = \"core-1\"                 # and its id
# service = \"lab\"                    # a [[service]] of that core
"
    .to_owned()
}

fn core(port: u16, home: &str) -> String {
    let tunnel = quoted(&format!("0.0.0.0:{port}"));
    let archive = quoted(&format!("{home}/archive"));
    format!(
        "
# Where edge gateways connect: mutual TLS, each device under its own certificate.
[tunnel]
listen = {tunnel}

# The sealed copy of what passes; mode = \"off\" keeps none.
[archive]
mode = \"on\"
dir = {archive}

# The servers behind this core, one [[service]] each.
#
# [[service]]
# name = \"lab\"                       # what the edges' routes call it
# protocol = \"hl7\"
# upstream = \"127.0.0.1:6661\"        # the server
# devices = [\"mon-1\"]                # who may reach it
"
    )
}

#[cfg(test)]
mod tests {
    use gateway_proxy::config::Config;
    use gateway_proxy::config::written::Written;

    use super::*;

    fn text(role: GatewayRole) -> String {
        let (id, home, port) = ("gw-1", "/var/lib/ward/gw", 7200);
        let file = GatewayFile {
            id,
            role,
            home,
            port,
        };
        file.text()
    }

    fn check(text: &str) -> Config {
        Config::check(toml::from_str::<Written>(text).unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_is_understood() {
        for role in [GatewayRole::Edge, GatewayRole::Core] {
            assert_eq!(check(&text(role)).id.as_str(), "gw-1");
        }
    }

    #[test]
    fn the_examples_are_understood_once_they_are_no_comments() {
        for role in [GatewayRole::Edge, GatewayRole::Core] {
            let plain = text(role);
            let (head, example) = plain.split_once("# [[").unwrap();
            let example = format!("# [[{example}").replace("# ", "");
            // The comments behind the values are part of the example.
            let example = example.lines().map(|line| match line.split_once("    ") {
                Some((value, _)) => format!("{value}\n"),
                None => format!("{line}\n"),
            });
            check(&format!("{head}\n{}", example.collect::<String>()));
        }
    }
}
