//! The last look, when everything is mended: what each node tells of the keys, and a use of each
//! key, each device and each version through each node. All of it must be answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::CLIENTS;
use super::client::{Door, Worker, opening, use_of};
use super::ground::Ground;
use crate::cluster::Cluster;
use crate::history::durability::Last;
use crate::history::record::{Answer, Op, Recorder, Subject};
use crate::wait;

/// What was told, and what was not answered.
pub(super) struct LastLook {
    pub(super) keys: Vec<Last>,
    pub(super) unanswered: Vec<String>,
}

impl LastLook {
    pub(super) fn take(
        runtime: &Runtime,
        cluster: &Cluster,
        recorder: &Arc<Recorder>,
        ground: &Arc<Ground>,
    ) -> Self {
        let doors = cluster.numbers().map(|node| Door {
            node,
            client: cluster.client(node, PATIENCE),
        });
        let worker = Worker {
            number: CLIENTS,
            doors: doors.collect(),
            random: fastrand::Rng::with_seed(0),
            recorder: Arc::clone(recorder),
            ground: Arc::clone(ground),
            stop: Arc::default(),
        };
        let unanswered = runtime.block_on(use_all(&worker));
        // A write whose client had given up may be carried out a little later.
        let agreed = wait::within(PATIENCE, || {
            let keys = runtime.block_on(list(&worker.doors))?;
            keys.iter()
                .all(|it| Some(it) == keys.first())
                .then_some(keys)
        });
        let keys = agreed.or_else(|| runtime.block_on(list(&worker.doors)));
        Self {
            keys: keys.unwrap_or_default(),
            unanswered,
        }
    }
}

async fn use_all(worker: &Worker) -> Vec<String> {
    let mut unanswered = Vec::new();
    for (door, Door { node, .. }) in worker.doors.iter().enumerate() {
        let keys = worker.ground.keys();
        let uses = keys
            .into_iter()
            .map(|key| (Subject::Key(key), use_of(key), None));
        let devices = worker.ground.devices();
        let devices = devices.map(|device| (Subject::Device(device), Op::GenerateDataKey, None));
        let sealed = worker.ground.sealed_by_version();
        let opened = sealed
            .into_iter()
            .map(|it| (it.subject, opening(&it), Some(it)));
        for (subject, op, sealed) in uses.chain(devices).chain(opened) {
            if let Answer::Unknown(reason) = worker.ask(door, subject, op, sealed).await {
                unanswered.push(format!("node-{node} {subject:?} {op:?}: {reason}"));
            }
        }
    }
    unanswered
}

/// The primary version of each key, as each node tells it; `None` where one does not.
async fn list(doors: &[Door]) -> Option<Vec<Last>> {
    let mut all = Vec::new();
    for door in doors {
        let keys = door.client.list_keys("history/").await.ok()?;
        let number = |name: &str| name.strip_prefix("history/")?.parse().ok();
        let last = keys
            .iter()
            .filter_map(|key| Some((number(&key.name)?, key.primary_version.0)));
        all.push(last.collect());
    }
    Some(all)
}

/// How long a call may take when everything is mended.
const PATIENCE: Duration = Duration::from_secs(20);
