//! Gets the root key: once the state has arrived and the seal's secret is there.
//!
//! A node that lacks either is sealed: it votes, appends and applies, and serves only status.

use std::path::Path;
use std::time::Duration;

use crate::keyring;
use crate::node::context::Node;
use crate::seal::{FileSeal, SealId, SealWrap};

/// Tries until the vault is open; ends then, or when the node drains.
pub(super) async fn unseal(node: &Node, seal_file: &Path) {
    let mut complained = false;
    let mut tick = tokio::time::interval(INTERVAL);
    while node.vault.is_sealed() {
        tokio::select! {
            () = node.draining.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(why) = attempt(node, seal_file).await
            && !complained
        {
            complained = true;
            tracing::error!(error = %why, "the node stays sealed; it serves only its status");
        }
    }
    tracing::info!("the node is unsealed");
}

/// Tries once, if the vault is not open yet; what hinders it is told by [`unseal`].
pub(super) async fn once(node: &Node, seal_file: &Path) {
    if node.vault.is_sealed()
        && let Err(why) = attempt(node, seal_file).await
    {
        tracing::debug!(error = %why, "not unsealed at the start");
    }
}

/// One attempt; nothing to do yet is no failure.
async fn attempt(node: &Node, seal_file: &Path) -> Result<(), Failure> {
    let stored = node.replica.read(|index| {
        let cluster = index.cluster()?;
        Some((cluster.seal_wraps.clone(), cluster.key_ring.clone()))
    });
    let Some((wraps, ring)) = stored else {
        return Ok(());
    };
    let wraps: Vec<_> = wraps.into_iter().filter_map(read_wrap).collect();
    let (seal_file, cluster_id) = (seal_file.to_owned(), node.cluster_id);
    // The seal's secret is a file: not read on the runtime.
    let unsealing = tokio::task::spawn_blocking(move || {
        let seal = FileSeal::open(&seal_file)?;
        Ok::<_, Failure>(keyring::unseal(&[&seal], cluster_id, &wraps, &ring)?)
    });
    node.vault.unseal(unsealing.await??);
    node.replica.set_sealed(false);
    Ok(())
}

/// A wrap of the state in the seal's terms; one of an unknown form is another seal's.
fn read_wrap(stored: crate::state::SealWrap) -> Option<SealWrap> {
    let (kind, instance) = stored.seal.split_once(':')?;
    Some(SealWrap {
        seal: SealId::new(kind, instance),
        record: stored.record,
    })
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

const INTERVAL: Duration = Duration::from_millis(100);
