//! `ward enroll`: makes a key on this host and exchanges a join token for its certificate.
//!
//! The settings file is written first and the certificate stored last, so that a call that was
//! stopped half-way is repeated as it is: the token stays bound to the key.

use std::io::Read;
use std::path::PathBuf;

use kms_client::identity::{IdentityDir, Role};
use kms_client::{JoinToken, join};
use kms_server::{Config, JoinOptions, NodeError};
use serde::Serialize;
use zeroize::Zeroizing;

use super::init::{no_host, seal_path};
use crate::cli::{EnrollArguments, GATEWAY_PORT, Global, NODE_PORT};
use crate::error::{Failure, Reason};
use crate::host::gateway_file::GatewayFile;
use crate::host::node_file::NodeFile;
use crate::host::{Home, not_utf8};
use crate::output::{Answer, answer};

/// Enters the cluster as whatever the token is for.
pub(super) async fn run(global: &Global, mut arguments: EnrollArguments) -> Result<(), Failure> {
    if arguments.token.as_str() == "-" {
        arguments.token = from_standard_input()?;
    }
    let token = JoinToken::decode(&arguments.token)
        .map_err(|error| Failure::told("TOKEN_INVALID", &error))?;
    check_authority(&token, &arguments)?;
    let role = role_of(&token, &arguments)?;
    let home = Home::create(&arguments.out)?;
    let view = match role {
        Role::Node => node(&home, &arguments).await?,
        Role::Gateway => gateway(&home, &arguments, &token).await?,
        Role::App | Role::Operator | Role::Device => identity(&home, &arguments, &token).await?,
    };
    answer(global.format(), &view)
}

fn from_standard_input() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(TOKEN_BYTES_MAX));
    let limit = TOKEN_BYTES_MAX as u64;
    std::io::stdin()
        .take(limit)
        .read_to_string(&mut text)
        .map_err(|error| Failure::io("cannot read the token", &error))?;
    Ok(text)
}

/// The hash came another way than the token: whoever swaps the token cannot swap both.
fn check_authority(token: &JoinToken, arguments: &EnrollArguments) -> Result<(), Failure> {
    if token.ca_spki_sha256 == arguments.ca_sha256.0 {
        return Ok(());
    }
    let sentence = "the token is for a cluster with another authority than --ca-sha256 says: copy \
                    both from one `ward token create`, and ask who gave you the token";
    Err(Failure::new(Reason::CERTIFICATE_FOREIGN, sentence))
}

fn role_of(token: &JoinToken, arguments: &EnrollArguments) -> Result<Role, Failure> {
    let role = Role::from_code(token.role).ok_or_else(|| {
        let sentence = "the token is for a role that this program does not know: run a newer ward";
        Failure::new(Reason::VERSION_NEWER, sentence)
    })?;
    match arguments.role {
        Some(asked) if asked.role() != role => Err(Failure::new(
            Reason::TOKEN_INVALID,
            format!(
                "the token is for role {role}, not {}: create one for that",
                asked.word()
            ),
        )),
        None if role == Role::Gateway => Err(Failure::new(
            Reason::INVALID_ARGUMENT,
            "say with --role whether this gateway stands beside devices (edge) or servers (core)",
        )),
        Some(_) | None => Ok(role),
    }
}

async fn node(home: &Home, arguments: &EnrollArguments) -> Result<EnrollView, Failure> {
    let settings = home.join("node.toml");
    let seal = seal_path(home, arguments.seal.as_deref())?;
    let mut file = None;
    if let Some(host) = &arguments.host {
        let new = NodeFile {
            data_dir: home.text()?,
            host,
            port: arguments.port.unwrap_or(NODE_PORT),
            seal: seal.to_str().ok_or_else(|| not_utf8(&seal))?,
            members: &[],
        };
        if home.write_once(&settings, &new.text())? {
            file = Some(new);
        }
    } else if !settings.exists() {
        return Err(no_host(home));
    }
    let config = Config::load(&settings).map_err(NodeError::from)?;
    let seal = config.seal_file.clone();
    let joined = kms_server::join(JoinOptions {
        config,
        endpoint: arguments.endpoint.clone(),
        token: arguments.token.clone(),
    })
    .await?;
    if let Some(file) = file {
        let members = &joined.members;
        home.write(&settings, &NodeFile { members, ..file }.text())?;
    }
    Ok(EnrollView {
        role: "node",
        identity: format!("node-{}", joined.node_id),
        out: home.root().to_owned(),
        config: Some(settings),
        seal: Some(seal),
    })
}

async fn gateway(
    home: &Home,
    arguments: &EnrollArguments,
    token: &JoinToken,
) -> Result<EnrollView, Failure> {
    let side = arguments.role.and_then(crate::cli::Guest::side);
    let role = side.ok_or_else(|| Failure::new(Reason::INTERNAL, "a gateway without a side"))?;
    let settings = home.join("gateway.toml");
    let file = GatewayFile {
        id: &token.id,
        role,
        home: home.text()?,
        port: arguments.port.unwrap_or(GATEWAY_PORT),
    };
    home.write_once(&settings, &file.text())?;
    let mut view = identity(home, arguments, token).await?;
    view.role = role.as_str();
    view.config = Some(settings);
    Ok(view)
}

async fn identity(
    home: &Home,
    arguments: &EnrollArguments,
    token: &JoinToken,
) -> Result<EnrollView, Failure> {
    let dir = IdentityDir::new(home.root());
    if dir.has_certificate() {
        let who = dir.load().map(|identity| identity.id().to_string());
        let sentence = format!(
            "{} holds an identity already ({}): it renews itself; name another --out for a new one",
            home.root().display(),
            who.unwrap_or_else(|error| error.to_string())
        );
        return Err(Failure::new(Reason::ALREADY_INITIALISED, sentence));
    }
    let request = dir.create_csr()?;
    let joined = join::join(&arguments.endpoint, token, &request, None).await?;
    let identity = joined.store(&dir)?;
    Ok(EnrollView {
        role: identity.id().role().as_str(),
        identity: identity.id().to_string(),
        out: home.root().to_owned(),
        config: None,
        seal: None,
    })
}

/// Who entered, and what to do next.
#[derive(Serialize)]
struct EnrollView {
    role: &'static str,
    identity: String,
    out: PathBuf,
    /// The settings file, for a node and a gateway.
    config: Option<PathBuf>,
    /// Where a node looks for the root seal.
    seal: Option<PathBuf>,
}

impl Answer for EnrollView {
    fn text(&self) -> String {
        let out = self.out.display();
        let mut text = format!("{} of role {} is in {out}\n", self.identity, self.role);
        if let Some(seal) = self.seal.as_ref().filter(|seal| !seal.exists()) {
            text += &format!(
                "Its root seal is missing: copy that of another node to {}, mode 600.\n",
                seal.display()
            );
        }
        let process = if self.seal.is_some() {
            "node"
        } else {
            "gateway"
        };
        text += &match &self.config {
            Some(config) => {
                let config = config.display();
                format!(
                    "Settings, to be looked at: {config}\n\
                     Then: ward {process} --config {config} --check\n"
                )
            }
            None => format!("Try: ward --data-dir {out} cluster status\n"),
        };
        text
    }
}

/// Longer than any token with white space around it.
const TOKEN_BYTES_MAX: usize = 4096;
