//! The verbs: each takes its checked arguments, asks the KMS or reads the archive, and answers.

mod archive_gaps;
mod archive_get;
mod archive_list;
mod archive_verify;
mod cluster_status;
mod decrypt;
mod device;
mod encrypt;
mod gateway;
mod key;
mod node;
mod node_remove;

use std::path::Path;

use kms_client::Client;
use kms_client::archive::Archive;

use crate::cli::{ArchiveVerb, Cli, ClusterVerb, Global, NodeArguments, NodeVerb, Verb};
use crate::error::{Failure, Reason};
use crate::node_names::NodeNames;
use crate::{runtime, up};

/// Does what was typed.
pub(crate) fn run(cli: Cli, warnings: &[String]) -> Result<(), Failure> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Up(arguments) => up::run(&global.data_dir, arguments),
        Verb::Node(NodeArguments::Serve(arguments)) => node::run(&arguments, warnings),
        Verb::Node(NodeArguments::Verb(NodeVerb::Remove(which))) => {
            runtime::block_on(node_remove::run(&global, which))
        }
        Verb::Gateway(arguments) => gateway::run(&arguments, warnings),
        Verb::Key(verb) => runtime::block_on(key::run(&global, verb)),
        Verb::Encrypt(arguments) => runtime::block_on(encrypt::run(&global, arguments)),
        Verb::Decrypt(arguments) => runtime::block_on(decrypt::run(&global, arguments)),
        Verb::Device(verb) => runtime::block_on(device::run(&global, verb)),
        Verb::Cluster(ClusterVerb::Status) => runtime::block_on(cluster_status::run(&global)),
        Verb::Archive(verb) => read_archive(&global, verb),
    }
}

fn read_archive(global: &Global, verb: ArchiveVerb) -> Result<(), Failure> {
    match verb {
        ArchiveVerb::List(arguments) => archive_list::run(global, &arguments),
        ArchiveVerb::Gaps => archive_gaps::run(global),
        ArchiveVerb::Get(arguments) => runtime::block_on(archive_get::run(global, &arguments)),
        ArchiveVerb::Verify => runtime::block_on(archive_verify::run(global)),
    }
}

/// Opens the archive of the data directory, or the folder that is one itself.
fn archive(global: &Global) -> Result<Archive, Failure> {
    let dir = &global.data_dir;
    let has = |part: &str| dir.join(part).exists();
    if !has("cluster.toml") && !has("core/archive") && !holds_segments(dir) {
        return Err(no_cluster(dir, "no archive"));
    }
    Ok(Archive::open(dir)?)
}

/// Opens the client of the data directory, bound to `--node` where that was given.
fn client(global: &Global) -> Result<Client, Failure> {
    let dir = &global.data_dir;
    if !["key.pem", "operator/key.pem"]
        .iter()
        .any(|key| dir.join(key).exists())
    {
        return Err(no_cluster(dir, "no identity"));
    }
    let mut builder = Client::builder().dir(dir);
    if let Some(node) = global.node {
        builder = builder.only_node(NodeNames::load(dir)?.id_of(node)?);
    }
    Ok(builder.open()?)
}

fn no_cluster(dir: &Path, lacks: &str) -> Failure {
    let what = if dir.exists() {
        format!("holds no cluster and {lacks}")
    } else {
        "does not exist".to_owned()
    };
    let sentence = format!(
        "{} {what}: start `ward up` first, or name its directory with --data-dir or WARD_HOME",
        dir.display()
    );
    Failure::new(Reason::NO_CLUSTER, sentence)
}

/// Whether `dir` is an archive itself, a copy for example.
fn holds_segments(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    let is_segment = |path: &Path| path.extension().is_some_and(|it| it == "seg");
    entries.flatten().any(|entry| is_segment(&entry.path()))
}
