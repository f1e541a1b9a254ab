//! Whether every node has every key, and opens what was sealed under some.

use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::reason::Reason;
use kms_client::{Client, Error};

use crate::stack::{Stack, reason};
use crate::wait;

/// What the names of the keys begin with.
pub(super) const PREFIX: &str = "many/";

/// The key that is made when all the others are: a node that has it has them.
pub(super) const LAST: &str = "last";

/// Calls for one answer, each of which the client library gives ten seconds.
const TRIES: usize = 30;

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
pub(super) fn until_whole(stack: &Stack, patience: Duration) -> Vec<u64> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let whole = wait::within(patience, || {
        let nodes = voters(stack)?;
        let known = |node: &u64| {
            // The client has tasks on the runtime.
            let _inside = runtime.enter();
            let client = client(stack, *node);
            match runtime.block_on(client.describe_key(LAST)) {
                Ok(_) => true,
                Err(error) if error.reason() == Reason::KeyNotFound => false,
                Err(error) if error.reason().may_pass() => false,
                Err(error) => panic!("node {node}: {error}"),
            }
        };
        nodes.iter().all(known).then_some(nodes)
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
            let client = client(stack, *node);
            let listed = answered("a list", || client.list_keys(PREFIX)).await;
            counted.push(listed.len());
            let context = EncryptionContext::new();
            for Sample { name, blob } in samples {
                let opening = answered(name, || client.decrypt(blob, &context));
                let plain = opening.await.plaintext;
                opened += usize::from(plain.expose() == name.as_bytes());
            }
        }
        (counted, (samples.len() * nodes.len(), opened))
    })
}

/// Calls until the cluster answers, as a caller does whose cluster is between two leaders or has
/// no time: again.
///
/// # Panics
/// When it is refused for a reason that stays, or time after time.
pub(super) async fn answered<T, Asked>(what: &str, call: impl Fn() -> Asked) -> T
where
    Asked: Future<Output = Result<T, Error>>,
{
    for _ in 0..TRIES {
        match call().await {
            Ok(answer) => return answer,
            Err(error) if error.reason().may_pass() => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
    panic!("{what}: not answered in {TRIES} tries");
}

fn client(stack: &Stack, node: u64) -> Client {
    let client = Client::builder().dir(stack.dir()).only_node(node);
    client.open().expect("the operator's identity")
}

/// The member ids, once there are three and all of them vote.
fn voters(stack: &Stack) -> Option<Vec<u64>> {
    let output = stack.ward(&["cluster", "status", "--output", "json"]);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(reason(&output).is_some_and(Reason::may_pass), "{said}");
        return None;
    }
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
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
