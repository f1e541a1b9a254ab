//! The verbs: each takes its checked arguments, asks the KMS or reads the archive, and answers.

mod approval;
mod archive_gaps;
mod archive_get;
mod archive_list;
mod archive_verify;
mod audit_export;
mod audit_tail;
mod audit_verify;
mod check_gateway;
mod check_node;
mod cluster_health;
mod cluster_status;
mod cluster_transfer;
mod contain;
mod decrypt;
mod device;
mod doctor;
mod encrypt;
mod enroll;
mod gateway;
mod init;
mod key;
mod key_alias;
mod key_census;
mod key_import;
mod key_rewrap;
mod key_rotation;
mod known_services;
mod manual;
mod node;
mod node_remove;
mod policy;
mod policy_grant;
mod policy_test;
mod policy_why;
mod public_key;
mod quota;
mod random;
mod revoke_gateway;
mod sign;
mod token;

use std::io::ErrorKind;
use std::path::Path;

use kms_client::Client;
use kms_client::archive::Archive;
use kms_client::reason::Reason as KmsReason;

use crate::cli::{
    ArchiveVerb, AuditVerb, Cli, ClusterVerb, Global, NodeArguments, NodeVerb, TokenVerb, Verb,
};
use crate::error::{Failure, Reason};
use crate::node_names::NodeNames;
use crate::{demo, runtime, up};

/// Does what was typed.
pub(crate) fn run(cli: Cli, warnings: &[String]) -> Result<(), Failure> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Demo => demo::run(global.asked_for()),
        Verb::Up(arguments) => up::run(&global.data_dir, arguments),
        Verb::Node(NodeArguments::Serve(arguments)) if arguments.check => {
            check_node::report(&arguments.config).finish(global.format())
        }
        Verb::Gateway(arguments) if arguments.check => {
            check_gateway::report(&arguments.config).finish(global.format())
        }
        Verb::Node(NodeArguments::Serve(arguments)) => node::run(&arguments, warnings),
        Verb::Node(NodeArguments::Verb(NodeVerb::Remove(which))) => {
            ask(&global, node_remove::run(&global, which))
        }
        Verb::Gateway(arguments) => gateway::run(&arguments, warnings),
        Verb::Doctor(arguments) => doctor::report(&arguments, warnings).finish(global.format()),
        Verb::Init(arguments) => runtime::block_on(init::run(&global, arguments)),
        Verb::Token(TokenVerb::Create(arguments)) => {
            ask(&global, token::create(&global, arguments))
        }
        Verb::Enroll(arguments) => runtime::block_on(enroll::run(&global, arguments)),
        Verb::Key(verb) => ask(&global, key::run(&global, verb)),
        Verb::Encrypt(arguments) => ask(&global, encrypt::run(&global, arguments)),
        Verb::Decrypt(arguments) => ask(&global, decrypt::run(&global, arguments)),
        Verb::Sign(arguments) => ask(&global, sign::sign(&global, arguments)),
        Verb::Verify(arguments) => ask(&global, sign::verify(&global, arguments)),
        Verb::Mac(arguments) => ask(&global, sign::mac(&global, arguments)),
        Verb::VerifyMac(arguments) => ask(&global, sign::verify_mac(&global, arguments)),
        Verb::Random(arguments) => ask(&global, random::run(&global, arguments)),
        Verb::Device(verb) => ask(&global, device::run(&global, verb)),
        Verb::Policy(verb) => ask(&global, policy::run(&global, verb)),
        Verb::Approve(arguments) => ask(&global, approval::approve(&global, arguments)),
        Verb::Approval(verb) => ask(&global, approval::run(&global, verb)),
        Verb::Quota(verb) => ask(&global, quota::run(&global, verb)),
        Verb::Cluster(ClusterVerb::Status) => ask(&global, cluster_status::run(&global)),
        Verb::Cluster(ClusterVerb::Transfer(whom)) => {
            ask(&global, cluster_transfer::run(&global, whom))
        }
        Verb::Cluster(ClusterVerb::RevokeGateway(gateway)) => {
            ask(&global, revoke_gateway::run(&global, &gateway.id))
        }
        Verb::Archive(verb) => read_archive(&global, verb),
        Verb::Audit(verb) => read_audit(&global, verb),
        Verb::Completions(arguments) => manual::completions(&arguments),
        Verb::Man(arguments) => manual::man(&arguments),
    }
}

fn read_audit(global: &Global, verb: AuditVerb) -> Result<(), Failure> {
    match verb {
        AuditVerb::Tail(arguments) => ask(global, audit_tail::run(global, arguments)),
        // These read the files of a stack that does not run.
        AuditVerb::Verify(arguments) => runtime::block_on(audit_verify::run(global, arguments)),
        AuditVerb::Export(arguments) => runtime::block_on(audit_export::run(global, arguments)),
    }
}

/// Does work that asks the KMS, with a certificate that is not about to end: an operator's folder
/// has no process that lives with it and renews.
fn ask(global: &Global, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    runtime::block_on(async {
        if let Ok(client) = client(global)
            && client.is_renewal_due()
            && let Err(failure) = client.renew_certificate().await
        {
            tracing::debug!(%failure, "the certificate is not renewed; the verb says why");
        }
        let Err(failure) = work.await else {
            return Ok(());
        };
        let dir = &global.data_dir;
        if failure.may_pass() && is_stopped(dir) {
            let why = format!("`ward up` does not run on {}, start it", dir.display());
            return Err(failure.of(why));
        }
        Err(failure)
    })
}

/// Whether this is a folder of `ward up`, which does not run.
fn is_stopped(dir: &Path) -> bool {
    let lock = dir.join(up::LOCK_FILE);
    lock.exists() && !sys::file::Lock::is_held(&lock)
}

fn read_archive(global: &Global, verb: ArchiveVerb) -> Result<(), Failure> {
    match verb {
        ArchiveVerb::List(arguments) => archive_list::run(global, &arguments),
        ArchiveVerb::Gaps => archive_gaps::run(global),
        ArchiveVerb::Get(arguments) => ask(global, archive_get::run(global, &arguments)),
        ArchiveVerb::Verify => ask(global, archive_verify::run(global)),
    }
}

/// Opens the archive of the data directory, or the folder that is one itself.
fn archive(global: &Global) -> Result<Archive, Failure> {
    if let Some(dir) = &global.archive_dir {
        return Ok(Archive::open(dir)?);
    }
    let dir = &global.data_dir;
    Archive::open(dir).map_err(|error| {
        if error.reason() == KmsReason::NotInitialised {
            no_cluster(dir, "no archive")
        } else {
            error.into()
        }
    })
}

/// Opens the client of the data directory, bound to `--node` where that was given.
pub(crate) fn client(global: &Global) -> Result<Client, Failure> {
    let dir = &global.data_dir;
    let mut identity = false;
    for key in ["key.pem", "operator/key.pem", "tls/key.pem"] {
        identity |= is_there(&dir.join(key))?;
    }
    if !identity {
        return Err(no_cluster(dir, "no identity"));
    }
    let mut builder = Client::builder().dir(dir);
    if let Some(node) = global.node {
        builder = builder.only_node(NodeNames::load(dir)?.id_of(node)?);
    }
    Ok(builder.open()?)
}

/// Whether a file is there; an error where this user may not look.
fn is_there(path: &Path) -> Result<bool, Failure> {
    match path.try_exists() {
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
        there => there
            .map_err(|error| Failure::io(format!("cannot look for {}", path.display()), &error)),
    }
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
