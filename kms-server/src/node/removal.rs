//! What a node does about removals: it finds out that it was removed itself, and, while it leads,
//! removes the former selves of nodes that joined again. Two of the node's chores.

use std::sync::Arc;
use std::time::Duration;

use crate::api::cluster::remove_node::remove_replaced;
use crate::api::failure::Failure;
use crate::node::NodeError;
use crate::node::context::Node;
use crate::node::identity_file::IdentityFile;
use crate::node::layout::Layout;
use crate::state::NodeId;

/// Waits until another member says that this node was removed. Notes it, so that the next start
/// ends at once and asks nobody.
pub(super) async fn found_out(node: &Node, layout: &Layout, file: &IdentityFile) -> NodeError {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if node.replica.was_removed().await {
            break;
        }
    }
    let (root, marked) = (layout.root().to_owned(), file.removed());
    let stored = tokio::task::spawn_blocking(move || marked.store(&root)).await;
    if !matches!(stored, Ok(Ok(()))) {
        tracing::warn!("the removal is not noted; the next start asks the others again");
    }
    removed(layout)
}

/// Removes dead members in whose place others have joined, until the node drains.
pub(super) async fn remove_former_selves(node: &Arc<Node>) {
    let (mut seen, mut rounds) = (None, 0);
    loop {
        tokio::select! {
            () = node.draining.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let fit = node.leads() && !node.vault.is_sealed();
        let silent = fit.then(|| node.replica.replaced()).flatten();
        // A new leader has heard of nobody at first: it must miss the same one for a while.
        rounds = if silent.is_some() && silent == seen {
            rounds + 1
        } else {
            0
        };
        seen = silent;
        if let Some((former, by)) = silent
            && rounds >= SILENT_ROUNDS
            && let Err(error) = remove(node, former, by).await
        {
            tracing::warn!(%former, %error, "a dead member is not removed yet");
        }
    }
}

/// As every write: a node that stops meanwhile waits until it is recorded.
async fn remove(node: &Arc<Node>, former: NodeId, by: NodeId) -> Result<(), Failure> {
    let own = Arc::clone(node);
    let write = async move { remove_replaced(&own, former, by).await };
    node.writes.carry("remove-former-self", write).await
}

/// The end of a removed node.
pub(super) fn removed(layout: &Layout) -> NodeError {
    let path = layout.root().to_owned();
    NodeError::Removed { path }
}

/// Rounds without an answer, beyond the first, after which a member counts as dead.
const SILENT_ROUNDS: u32 = 4;
const INTERVAL: Duration = Duration::from_secs(1);
