//! A gateway without devices: acknowledges every order, and asks every node for leases, each of
//! which is taken down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kms_client::Client;
use kms_client::model::WatchEventKind;

use crate::history::record::{Answer, Intent, Op, Recorder, Subject};

/// Acknowledges orders until it is dropped.
pub(super) async fn acknowledge(client: Client, number: usize, recorder: Arc<Recorder>) {
    let mut watch = client.watch();
    loop {
        let WatchEventKind::DeviceChanged(change) = watch.next().await.kind else {
            continue;
        };
        let device = change.device_id.strip_prefix("device-");
        let Some(device) = device.and_then(|number| number.parse().ok()) else {
            continue;
        };
        if change.containment.settled {
            continue;
        }
        let epoch = change.containment.epoch;
        let intent = Intent {
            client: number,
            node: 0,
            subject: Subject::Device(device),
            op: Op::Acknowledge(epoch),
        };
        let begun = recorder.begin();
        // Where it fails, who ordered it waits for the lease to end instead.
        let answer = match client
            .acknowledge_containment(&change.device_id, epoch)
            .await
        {
            Ok(()) => Answer::Done(0),
            Err(error) => Answer::Unknown(error.reason()),
        };
        recorder.end(&begun, intent, String::new(), answer);
    }
}

/// Asks one node for leases until it is told to stop.
pub(super) struct Lessee {
    pub(super) number: usize,
    pub(super) node: usize,
    pub(super) client: Client,
    pub(super) recorder: Arc<Recorder>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Lessee {
    pub(super) async fn run(self) {
        let intent = Intent {
            client: self.number,
            node: self.node,
            subject: Subject::Lease,
            op: Op::Renew,
        };
        while !self.stop.load(Ordering::Relaxed) {
            let begun = self.recorder.begin();
            let answer = match self.client.renew_lease().await {
                Ok(lease) => Answer::Done(lease.index),
                Err(error) => Answer::Unknown(error.reason()),
            };
            self.recorder.end(&begun, intent, String::new(), answer);
            tokio::time::sleep(PACE).await;
        }
    }
}

const PACE: Duration = Duration::from_millis(50);
