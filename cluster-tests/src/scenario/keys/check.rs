//! Whether every node has every key, and opens what was sealed under some.

use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::Client;

use crate::stack::Stack;
use crate::wait;

/// What the names of the keys begin with.
pub(super) const PREFIX: &str = "many/";

/// A ciphertext of a key's own name.
pub struct Sample {
    /// The key, and the plaintext.
    pub name: String,
    /// The ciphertext.
    pub blob: Vec<u8>,
}

/// Waits until all nodes vote and the last key is known to each; their member ids.
///
/// # Panics
/// When that takes longer than `patience`.
pub(super) fn until_whole(stack: &Stack, keys: usize, patience: Duration) -> Vec<u64> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let last = format!("{PREFIX}{:08}", keys - 1);
    let whole = wait::within(patience, || {
        let nodes = voters(stack)?;
        let known = |node: &u64| {
            let client = client(stack, *node)?;
            runtime.block_on(client.describe_key(last.as_str())).ok()
        };
        nodes
            .iter()
            .all(|node| known(node).is_some())
            .then_some(nodes)
    });
    whole.unwrap_or_else(|| panic!("waited {} s in vain: whole nodes", patience.as_secs()))
}

/// How many keys each node lists, and how many samples there are and are opened, all nodes taken
/// together.
pub(super) fn all(
    stack: &Stack,
    nodes: &[u64],
    samples: &[Sample],
) -> (Vec<usize>, (usize, usize)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (mut counted, mut opened) = (Vec::new(), 0);
        for node in nodes {
            let client = client(stack, *node).expect("a node of the cluster");
            let listed = client.list_keys(PREFIX).await.expect("a list");
            counted.push(listed.len());
            for Sample { name, blob } in samples {
                let plain = client.decrypt(blob, &EncryptionContext::new()).await;
                let plain = plain.expect("an enabled key").plaintext;
                opened += usize::from(plain.expose() == name.as_bytes());
            }
        }
        (counted, (samples.len() * nodes.len(), opened))
    })
}

fn client(stack: &Stack, node: u64) -> Option<Client> {
    Client::builder()
        .dir(stack.dir())
        .only_node(node)
        .open()
        .ok()
}

/// The member ids, once there are three and all of them vote.
fn voters(stack: &Stack) -> Option<Vec<u64>> {
    let output = stack.ward(&["cluster", "status", "--output", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let nodes = status["nodes"].as_array()?;
    let votes = |node: &serde_json::Value| {
        ["leader", "follower"].contains(&node["role"].as_str().unwrap_or_default())
            && node["id"].is_u64()
    };
    let ids = nodes
        .iter()
        .filter(|node| votes(node))
        .filter_map(|it| it["node_id"].as_u64());
    let ids: Vec<u64> = ids.collect();
    (ids.len() == 3 && nodes.len() == 3).then_some(ids)
}
