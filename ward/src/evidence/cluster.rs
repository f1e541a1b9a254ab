//! Evidence from running nodes: each is asked for its own log.

use std::time::Duration;

use kms_client::Client;
use kms_client::model::AuditFile;
use kms_server::audit::AnchorsDocument;

use super::Sink;
use crate::cli::Global;
use crate::error::{Failure, Reason};
use crate::node_names::NodeNames;
use crate::verbs::client;

/// Reads every member's log, or that of `--node` alone.
pub(super) async fn read(global: &Global, sink: &mut impl Sink) -> Result<(), Failure> {
    let nodes = members(global).await?;
    let mut readable = Vec::new();
    let mut documents = Vec::new();
    for node in nodes {
        match document(global, node, &nodes_to_wait_for(&readable)).await {
            Ok((client, json)) => {
                readable.push((node, client));
                documents.push(json);
            }
            Err(failure) => sink.missing(node, failure)?,
        }
    }
    for json in &documents {
        sink.document(json)?;
    }
    for (node, client) in &readable {
        sink.node(*node)?;
        for file in client.audit_files().await? {
            read_file(client, &file, sink).await?;
        }
    }
    Ok(())
}

/// The ids of the members, or the one that `--node` names.
pub(crate) async fn members(global: &Global) -> Result<Vec<u64>, Failure> {
    if let Some(number) = global.node {
        return Ok(vec![NodeNames::load(&global.data_dir)?.id_of(number)?]);
    }
    let status = client(global)?.cluster_status().await?;
    Ok(status.nodes.iter().map(|node| node.id.0).collect())
}

/// A client that asks this node and no other.
pub(crate) fn bound_to(global: &Global, node: u64) -> Result<Client, Failure> {
    // The same checks and words as for every verb.
    drop(client(global)?);
    let builder = Client::builder().dir(&global.data_dir).only_node(node);
    Ok(builder.deadline(PATIENCE).open()?)
}

fn nodes_to_wait_for(readable: &[(u64, Client)]) -> Vec<u64> {
    readable.iter().map(|(node, _)| *node).collect()
}

/// A node's document, once it knows of its own log and of those: a log that has just begun is
/// anchored within a second.
async fn document(
    global: &Global,
    node: u64,
    others: &[u64],
) -> Result<(Client, Vec<u8>), Failure> {
    let client = bound_to(global, node)?;
    let begun = sys::clock::monotonic();
    loop {
        let json = client.audit_anchors().await?;
        let known = AnchorsDocument::parse(&json).map_err(|error| {
            Failure::new(
                Reason::VERSION_NEWER,
                format!("node-{node}: {error}; use its version"),
            )
        })?;
        let knows = |wanted: &u64| known.logs.iter().any(|log| log.node == *wanted);
        if knows(&node) && others.iter().all(knows) || begun.elapsed() > PATIENCE {
            return Ok((client, json));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn read_file(client: &Client, file: &AuditFile, sink: &mut impl Sink) -> Result<(), Failure> {
    sink.file(&file.name, file.bytes)?;
    let mut offset = 0;
    while offset < file.bytes {
        let mut data = client.read_audit_file(&file.name, offset).await?;
        // What was written since is of no interest here.
        let left = usize::try_from(file.bytes - offset).unwrap_or(usize::MAX);
        data.truncate(left);
        if data.is_empty() {
            let sentence = format!("{} became shorter while it was read", file.name);
            return Err(super::broken(sentence));
        }
        sink.data(&data)?;
        offset += data.len() as u64;
    }
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);
