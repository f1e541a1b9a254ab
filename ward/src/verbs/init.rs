//! `ward init`: a new cluster, its authority, root seal and first operator, on its first host.

use std::path::PathBuf;

use kms_client::identity::{Endpoint, IdentityDir, NodeId, spki_sha256};
use kms_server::{Config, InitOptions, NodeError, Operator};
use serde::Serialize;

use crate::cli::{Global, InitArguments};
use crate::error::{Failure, Reason};
use crate::host::node_file::NodeFile;
use crate::host::{Home, not_utf8};
use crate::output::{Answer, answer};

/// Makes everything, or goes on where an earlier call was stopped.
pub(super) async fn run(global: &Global, arguments: InitArguments) -> Result<(), Failure> {
    let home = Home::create(&arguments.out)?;
    let settings = settings(&home, &arguments)?;
    let config = Config::load(&settings).map_err(NodeError::from)?;
    let operator_dir = match &arguments.operator_out {
        Some(dir) => Home::create(dir)?.root().to_owned(),
        None => home.join("operator"),
    };
    let operator = IdentityDir::new(&operator_dir);
    if operator.has_certificate() && !home.join("identity.toml").exists() {
        let sentence = format!(
            "{} holds an identity already: name another --operator-out",
            operator_dir.display()
        );
        return Err(Failure::new(Reason::ALREADY_INITIALISED, sentence));
    }
    let seal = config.seal_file.clone();
    let endpoint = endpoint(&config);
    let made = kms_server::init(InitOptions {
        config,
        trust_domain: arguments.trust_domain,
        operator: Operator {
            id: arguments.operator,
            csr_der: operator.create_csr()?,
        },
    })
    .await?;
    let ca: Vec<_> = made.ca_der.into_iter().map(Into::into).collect();
    operator.store_certificate(&made.operator_certificate_der.into(), &ca)?;
    // The node's own identity is one that the tool can ask with, too.
    for identity in [&operator, &IdentityDir::new(home.join("tls"))] {
        identity.store_endpoints(std::slice::from_ref(&endpoint))?;
    }
    let newest = ca.first().ok_or_else(no_authority)?;
    let view = InitView {
        cluster_id: made.cluster_id,
        node_id: made.node_id,
        ca_sha256: hex::encode(spki_sha256(newest)?),
        config: settings,
        seal,
        operator: operator_dir,
    };
    answer(global.format(), &view)
}

/// The node's settings file, written unless it is there.
fn settings(home: &Home, arguments: &InitArguments) -> Result<PathBuf, Failure> {
    let path = home.join("node.toml");
    let seal = seal_path(home, arguments.seal.as_deref())?;
    match &arguments.host {
        None if path.exists() => {}
        None => return Err(no_host(home)),
        Some(host) => {
            let file = NodeFile {
                data_dir: home.text()?,
                host,
                port: arguments.port,
                seal: seal.to_str().ok_or_else(|| not_utf8(&seal))?,
                members: &[],
            };
            home.write_once(&path, &file.text())?;
        }
    }
    Ok(path)
}

/// Where the seal is, absolute: the node may be started anywhere.
pub(super) fn seal_path(home: &Home, asked: Option<&std::path::Path>) -> Result<PathBuf, Failure> {
    let Some(asked) = asked else {
        return Ok(home.join("seal").join("root"));
    };
    std::path::absolute(asked)
        .map_err(|error| Failure::io(format!("cannot use {}", asked.display()), &error))
}

pub(super) fn no_host(home: &Home) -> Failure {
    let sentence = format!(
        "say with --host under which name or address others reach this node, or write {} yourself",
        home.join("node.toml").display()
    );
    Failure::new(Reason::INVALID_ARGUMENT, sentence)
}

fn no_authority() -> Failure {
    Failure::new(Reason::INTERNAL, "the new cluster has no authority")
}

fn endpoint(config: &Config) -> Endpoint {
    let told = |advertised: &Option<kms_server::config::HostPort>, bound: &_| {
        advertised.as_ref().unwrap_or(bound).to_string()
    };
    Endpoint {
        node_id: NodeId(FIRST),
        api: told(&config.advertise.api, &config.listen.api),
        join: Some(told(&config.advertise.join, &config.listen.join)),
    }
}

const FIRST: u64 = 1;

/// What was made.
#[derive(Serialize)]
struct InitView {
    cluster_id: String,
    node_id: u64,
    ca_sha256: String,
    config: PathBuf,
    seal: PathBuf,
    operator: PathBuf,
}

impl Answer for InitView {
    fn text(&self) -> String {
        let (config, seal) = (self.config.display(), self.seal.display());
        let operator = self.operator.display();
        format!(
            "cluster    {}, this is node-{}\n\
             ca sha256  {}\n\
             settings   {config}\n\
             root seal  {seal}\n\
             operator   {operator}\n\
             \n\
             Keep a copy of the root seal in another place: without it, nothing of this cluster\n\
             can ever be opened again, and whoever has it and a node's disk can open everything.\n\
             Every other node needs the same file: copy it by hand, it never crosses Ward's own\n\
             wires.\n\
             \n\
             Start the node:   ward node --config {config}\n\
             Then invite:      ward --data-dir {operator} token create --role node\n",
            self.cluster_id, self.node_id, self.ca_sha256
        )
    }
}
