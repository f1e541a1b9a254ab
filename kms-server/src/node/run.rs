//! Serves until told to stop: `ward node` and `kms-server` are this and nothing else.
//!
//! ```text
//! identity ─▶ bind ports ─▶ open replica, audit ─▶ serve ─▶ begin (first node) ─▶ ready
//!      … told to stop ─▶ hand leadership over ─▶ drain clients ─▶ close Raft ─▶ close audit
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kms_client::identity::IdentityDir;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::containment;
use crate::node::NodeError;
use crate::node::assembly::{Assembled, assemble};
use crate::node::context::Node;
use crate::node::error::file_error;
use crate::node::genesis_file;
use crate::node::identity_file::IdentityFile;
use crate::node::layout::Layout;
use crate::node::listeners::Listeners;
use crate::node::serving::Serving;
use crate::node::{anchors, removal, renew, rotation, succession, unseal};
use crate::ops::Ops;

/// Runs the node of `config.data_dir` until it is told to stop, then drains and closes.
///
/// `supervised` tells it to stop at the end of standard input instead of at a signal.
///
/// # Errors
/// When it cannot start; see [`NodeError`].
pub async fn run(config: Config, supervised: bool) -> Result<(), NodeError> {
    // Before anything slow, so that a signal during the start is not lost.
    let told_to_stop = sys::shutdown::requested(supervised);
    run_until(config, async move {
        told_to_stop.await.map_err(NodeError::Shutdown)
    })
    .await
}

/// Runs the node until `stop` ends.
///
/// # Errors
/// When it cannot start, `stop` failed, or a listener or the replica ended by itself.
pub async fn run_until(
    config: Config,
    stop: impl Future<Output = Result<(), NodeError>>,
) -> Result<(), NodeError> {
    let layout = Layout::new(&config.data_dir);
    let file = IdentityFile::load(layout.root())?.ok_or_else(|| NodeError::NotInitialised {
        path: layout.root().to_owned(),
    })?;
    if file.removed {
        // Known from before: the others are not asked again.
        return Err(removal::removed(&layout));
    }
    let _lock = lock(&layout)?;
    let listeners = Listeners::bind(&config)?;
    let assembled = assemble(&config, &layout, &file, &listeners).await?;
    let node = Arc::clone(&assembled.node);
    let ops = Ops::new(Arc::clone(&node));
    let mut serving = Serving::start(&assembled, listeners, ops.clone());
    let seal_file = config.seal_file.clone();
    let anchoring = anchoring(Arc::clone(&node), layout.clone());
    let mut anchoring = sys::task::spawn("anchors", anchoring);
    let chores = sys::task::spawn("chores", chores(assembled, config, layout.clone()));

    let outcome = tokio::select! {
        stopped = stop => stopped,
        started = start(&node, &layout, &ops, &seal_file, file.initialised) => match started {
            Err(error) => Err(error),
            Ok(never) => match never {},
        },
        failed = serving.failed() => Err(failed),
        removed = removal::found_out(&node, &layout, &file) => Err(removed),
        // Everything else would go on around a Raft that is gone: end, and be started again.
        cause = node.replica.stopped() => Err(cause.into()),
    };
    if let Err(error) = &outcome {
        tracing::error!(reason = ?error.reason(), %error, "the node cannot go on");
    }
    tracing::info!("the node stops");
    ops.set_ready(false);
    node.replica.retire();
    node.stopping.cancel();
    // While the others can still be asked; they may be stopping as well, so not for long.
    if tokio::time::timeout(LAST_ANCHOR, &mut anchoring)
        .await
        .is_err()
    {
        tracing::warn!("the end of the audit log is not anchored before the node's next start");
        anchoring.abort();
    }
    serving.step_down(&node).await;
    serving.drain(&node).await;
    chores.abort();
    outcome
}

fn lock(layout: &Layout) -> Result<sys::file::Lock, NodeError> {
    let path = layout.lock();
    sys::file::Lock::acquire(&path).map_err(|error| {
        let held = error.kind() == std::io::ErrorKind::WouldBlock;
        if held {
            let path = layout.root().to_owned();
            return NodeError::Locked { path };
        }
        file_error(path, "cannot be locked", error)
    })
}

/// Begins the cluster if this is its first node, and says that the node is ready once it is; then
/// waits for ever.
async fn start(
    node: &Node,
    layout: &Layout,
    ops: &Ops,
    seal_file: &Path,
    initialised: bool,
) -> Result<std::convert::Infallible, NodeError> {
    if let Some(genesis) = genesis_file::load(layout)? {
        node.replica
            .initialize(genesis)
            .await
            .map_err(NodeError::Begin)?;
        genesis_file::remove(layout)?;
    }
    // A member that was one before is ready without a leader: after a power cut the others may
    // wait for it to be.
    let begun = || node.replica.read(|index| index.cluster().is_some());
    let mut tick = tokio::time::interval(READY_POLL);
    while !(initialised || node.replica.leader().is_some() && begun()) {
        tick.tick().await;
    }
    // Whoever waits for the node to be ready finds it unsealed, unless its seal is away.
    unseal::once(node, seal_file).await;
    ops.set_ready(true);
    tracing::info!(node = %node.id, api = node.addresses.api, "the node is ready");
    if let Err(error) = sys::notify::ready() {
        tracing::warn!(%error, "the supervisor was not told that the node is ready");
    }
    std::future::pending().await
}

/// Anchors the audit logs, the last time when the node stops.
async fn anchoring(node: Arc<Node>, layout: Layout) {
    anchors::keep_anchored(&node, &layout.anchors()).await;
}

/// What a node does beside serving, until it drains.
async fn chores(assembled: Assembled, config: Config, layout: Layout) {
    let Assembled { node, configs, .. } = assembled;
    let tls = IdentityDir::new(layout.tls());
    tokio::join!(
        unseal::unseal(&node, &config.seal_file),
        renew::keep_renewed(&node, &tls, &configs),
        succession::hand_over_when_unfit(&node),
        containment::keep(&node),
        removal::remove_former_selves(&node),
        rotation::rotate_by_period(&node),
        sweep(&node, node.draining.clone()),
    );
}

/// How long the last anchor of the audit logs may keep a node from stopping.
const LAST_ANCHOR: Duration = Duration::from_millis(500);

/// Wipes unwrapped keys whose time is over, whether or not anybody asks for keys.
async fn sweep(node: &Node, draining: CancellationToken) {
    let mut tick = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            () = draining.cancelled() => return,
            _ = tick.tick() => node.vault.sweep(),
        }
    }
}

const READY_POLL: Duration = Duration::from_millis(20);
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
