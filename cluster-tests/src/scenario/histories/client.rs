//! One client: asks one node, one call after the other, chosen by chance, and takes each down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::Client;

use super::asking::{Asking, told};
use super::ground::{Ground, Sealed, What, signs};
use crate::history::audit::digest;
use crate::history::record::{Answer, Intent, Op, Recorder, Subject};

/// See the module.
pub(super) struct Worker {
    pub(super) number: usize,
    /// The node that it asks, then all others.
    pub(super) doors: Vec<Door>,
    pub(super) random: fastrand::Rng,
    pub(super) recorder: Arc<Recorder>,
    pub(super) ground: Arc<Ground>,
    pub(super) stop: Arc<AtomicBool>,
}

/// The way to one node.
pub(super) struct Door {
    pub(super) node: usize,
    pub(super) client: Client,
}

impl Worker {
    /// Runs until it is told to stop.
    pub(super) async fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let (subject, op, sealed) = self.choose();
            let told = self.ask(0, subject, op, sealed).await;
            match told {
                // Whoever cannot be served now asks for less: each write with an unknown end is one
                // more that may still happen.
                Answer::Unknown(_) => self.wait_served().await,
                Answer::Done(_) if op.is_write() => self.ask_elsewhere(subject).await,
                Answer::Done(_) | Answer::Refused(_) => {}
            }
        }
    }

    /// Uses what was just changed through another node, which must know of it.
    async fn ask_elsewhere(&mut self, subject: Subject) {
        let door = match self.doors.len() {
            1 => 0,
            all => self.random.usize(1..all),
        };
        let op = match subject {
            Subject::Key(key) => use_of(key),
            Subject::Device(_) => Op::GenerateDataKey,
            Subject::Lease => return,
        };
        self.ask(door, subject, op, None).await;
    }

    /// Asks with a read until something is answered.
    async fn wait_served(&mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(PAUSE).await;
            let Some(key) = self.ground.some_key(&mut self.random) else {
                return;
            };
            let told = self.ask(0, Subject::Key(key), use_of(key), None).await;
            if !matches!(told, Answer::Unknown(_)) {
                return;
            }
        }
    }

    fn choose(&mut self) -> (Subject, Op, Option<Sealed>) {
        let roll = self.random.u32(..1_000);
        let key = self.ground.some_key(&mut self.random);
        let device = self.ground.some_device(&mut self.random);
        let (Some(key), Some(device)) = (key, device) else {
            return match self.random.bool() {
                true => (Subject::Key(self.ground.new_key()), Op::Create, None),
                false => (Subject::Device(self.ground.new_device()), Op::Create, None),
            };
        };
        let op = match roll {
            0..25 => return (Subject::Key(self.ground.new_key()), Op::Create, None),
            25..55 => return (Subject::Device(self.ground.new_device()), Op::Create, None),
            55..85 => return (Subject::Device(device), Op::Revoke, None),
            85..105 => return (Subject::Device(device), Op::Isolate, None),
            105..125 => return (Subject::Device(device), Op::Release, None),
            125..200 => return (Subject::Device(device), Op::GenerateDataKey, None),
            200..280 => Op::Disable,
            280..370 => Op::Enable,
            370..400 => Op::Rotate,
            // Few keys, since each has a policy of its own.
            400..415 => return (Subject::Key(key % POLICIES), Op::Forbid, None),
            415..440 => return (Subject::Key(key % POLICIES), Op::Permit, None),
            440..560 => use_of(key),
            560..680 if signs(key) => Op::Sign,
            560..680 => Op::GenerateDataKey,
            _ => return self.open(key),
        };
        (Subject::Key(key), op, None)
    }

    fn open(&mut self, key: usize) -> (Subject, Op, Option<Sealed>) {
        let Some(sealed) = self.ground.some_sealed(&mut self.random) else {
            return (Subject::Key(key), use_of(key), None);
        };
        (sealed.subject, opening(&sealed), Some(sealed))
    }

    /// Asks one of the nodes, and takes it down.
    pub(super) async fn ask(
        &self,
        door: usize,
        subject: Subject,
        op: Op,
        sealed: Option<Sealed>,
    ) -> Answer {
        let Door { node, client } = &self.doors[door];
        let intent = Intent {
            client: self.number,
            node: *node,
            subject,
            op,
        };
        let begun = self.recorder.begin();
        let context = sealed
            .as_ref()
            .map_or_else(|| own_context(begun.id), |sealed| sealed.context.clone());
        let has_none = op.is_write() || matches!(op, Op::Renew | Op::Sign);
        let digest = match has_none {
            true => String::new(),
            false => digest(&context),
        };
        let asking = Asking {
            client,
            ground: &self.ground,
            subject,
        };
        let told = told(asking.call(op, sealed, context).await);
        self.recorder.end(&begun, intent, digest, told);
        if op == Op::Create && matches!(told, Answer::Done(_)) {
            self.ground.made(subject);
        }
        told
    }
}

/// A use of the key's primary version.
pub(super) fn use_of(key: usize) -> Op {
    match signs(key) {
        true => Op::Sign,
        false => Op::Encrypt,
    }
}

/// The call that opens what was sealed.
pub(super) fn opening(sealed: &Sealed) -> Op {
    match sealed.what {
        What::Blob(_) => Op::Decrypt(sealed.version),
        What::DataKey(_) => Op::Unwrap(sealed.version),
    }
}

/// The context of a use: no two calls have the same.
fn own_context(call: u64) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    let added = context.insert("call", call.to_string());
    added.expect("a short pair");
    context
}

const POLICIES: usize = 6;
const PAUSE: Duration = Duration::from_millis(50);
