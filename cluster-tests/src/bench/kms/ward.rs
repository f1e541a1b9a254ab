//! Ward under load: three nodes, and clients that ask one of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::model::{DataKeyKind, KeyType, NewKey};
use kms_client::{Batch, Client, KeyStream};
use rustix::process::Pid;
use tokio::runtime::Runtime;

use super::load::{Answer, Caller};
use crate::cluster::{Cluster, Equipment, Plan};
use crate::scenario::keys::fill;

/// What a client asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// One data key.
    GenerateDataKey,
    /// So many data keys at once.
    GenerateDataKeys(u32),
    /// One data key, on a stream that all clients share.
    StreamDataKey,
    /// A small value is opened.
    Decrypt,
    /// A small value is opened, on a stream that all clients share.
    StreamDecrypt,
    /// So many small values are opened at once.
    DecryptBatch(usize),
    /// 32 bytes are signed with Ed25519.
    Sign,
    /// A key is made.
    CreateKey,
    /// A key of its own gets another version.
    RotateKey,
}

/// The cluster.
pub struct Ward {
    cluster: Cluster,
    leader: usize,
    blob: Vec<u8>,
    made: Arc<AtomicU64>,
    /// One to the leader, one to another node.
    streams: [KeyStream; 2],
}

impl Ward {
    /// Starts three nodes and makes what is asked for.
    ///
    /// # Panics
    /// When the cluster does not come up.
    pub fn start(runtime: &Runtime, ward: &Path, dir: &Path) -> Self {
        let plan = Plan {
            ward: ward.to_owned(),
            root: dir.to_owned(),
            nodes: 3,
            equipment: Equipment::default(),
        };
        let cluster = Cluster::start(runtime.handle(), &plan).expect("nothing special");
        let leader = cluster.leader();
        let client = cluster.client(leader, DEADLINE);
        let blob = runtime.block_on(async {
            client.create_key(KEY).await.expect("an operator may");
            let signs = NewKey {
                key_type: KeyType::Ed25519,
                ..NewKey::from(SIGNS)
            };
            client.create_key(signs).await.expect("an operator may");
            for own in 0..CLIENTS_MAX {
                let key = format!("turns/{own}");
                client.create_key(key).await.expect("an operator may");
            }
            let context = EncryptionContext::new();
            let sealed = client.encrypt(KEY, &[7; 32], &context).await;
            sealed.expect("an operator may").blob
        });
        let other = leader % cluster.numbers().count() + 1;
        let streams = [leader, other].map(|node| cluster.client(node, DEADLINE).key_stream());
        Self {
            cluster,
            leader,
            blob,
            made: Arc::default(),
            streams,
        }
    }

    /// Makes so many keys.
    ///
    /// # Panics
    /// When one is not made.
    pub fn fill(&self, runtime: &Runtime, keys: usize, told: &mut dyn FnMut(&str)) {
        let client = self.cluster.client(self.leader, DEADLINE);
        runtime.block_on(fill(&client, keys, told));
    }

    /// The processes of all nodes.
    pub fn pids(&self) -> Vec<Pid> {
        let numbers = self.cluster.numbers();
        numbers.filter_map(|node| self.cluster.pid(node)).collect()
    }

    /// Client `own`, with a connection of its own to the leader or to another node.
    pub fn caller(&self, op: Op, own: usize, at_leader: bool) -> Caller {
        let node = match at_leader {
            true => self.leader,
            false => self.leader % self.cluster.numbers().count() + 1,
        };
        let client = self.cluster.client(node, DEADLINE);
        let (blob, made) = (self.blob.clone(), Arc::clone(&self.made));
        let stream = self.streams[usize::from(!at_leader)].clone();
        Box::new(move || {
            let client = client.clone();
            match op {
                Op::GenerateDataKey => data_keys(client, 1),
                Op::GenerateDataKeys(count) => data_keys(client, count),
                Op::StreamDataKey => stream_data_key(stream.clone()),
                Op::Decrypt => decrypt(client, blob.clone()),
                Op::StreamDecrypt => stream_decrypt(stream.clone(), blob.clone()),
                Op::DecryptBatch(count) => decrypt_batch(client, blob.clone(), count),
                Op::Sign => sign(client),
                Op::CreateKey => {
                    let number = made.fetch_add(1, Ordering::Relaxed);
                    create(client, format!("made/{number}"))
                }
                Op::RotateKey => rotate(client, format!("turns/{own}")),
            }
        })
    }

    /// Ends it; no process may have failed.
    pub fn stop(self) {
        self.cluster.stop();
    }
}

fn data_keys(client: Client, count: u32) -> Answer {
    Box::pin(async move {
        let (context, kind) = (EncryptionContext::new(), DataKeyKind::Stream);
        let made = client.generate_data_keys(KEY, &context, kind, count).await;
        made.map(drop).map_err(|error| error.to_string())
    })
}

fn stream_data_key(stream: KeyStream) -> Answer {
    Box::pin(async move {
        let (context, kind) = (EncryptionContext::new(), DataKeyKind::Stream);
        let made = stream.generate_data_keys(KEY, &context, kind, 1).await;
        made.map(drop).map_err(|error| error.to_string())
    })
}

fn stream_decrypt(stream: KeyStream, blob: Vec<u8>) -> Answer {
    Box::pin(async move {
        let mut batch = Batch::new();
        batch.decrypt(&blob, &EncryptionContext::new());
        let made = stream.batch(batch).await;
        let made = made.map_err(|error| error.to_string())?;
        let opened = made.into_iter().collect::<Result<Vec<_>, _>>();
        opened.map(drop).map_err(|error| error.to_string())
    })
}

fn decrypt(client: Client, blob: Vec<u8>) -> Answer {
    Box::pin(async move {
        let opened = client.decrypt(&blob, &EncryptionContext::new()).await;
        opened.map(drop).map_err(|error| error.to_string())
    })
}

fn decrypt_batch(client: Client, blob: Vec<u8>, count: usize) -> Answer {
    Box::pin(async move {
        let mut batch = Batch::new();
        for _ in 0..count {
            batch.decrypt(&blob, &EncryptionContext::new());
        }
        let made = client
            .batch(batch)
            .await
            .map_err(|error| error.to_string())?;
        let opened = made.into_iter().collect::<Result<Vec<_>, _>>();
        opened.map(drop).map_err(|error| error.to_string())
    })
}

fn sign(client: Client) -> Answer {
    Box::pin(async move {
        let signed = client.sign(SIGNS, &[7; 32], None).await;
        signed.map(drop).map_err(|error| error.to_string())
    })
}

fn create(client: Client, name: String) -> Answer {
    Box::pin(async move {
        let made = client.create_key(name).await;
        made.map(drop).map_err(|error| error.to_string())
    })
}

fn rotate(client: Client, name: String) -> Answer {
    Box::pin(async move {
        let rotated = client.rotate_key(name, None).await;
        rotated.map(drop).map_err(|error| error.to_string())
    })
}

/// Clients at most: each has a key that it rotates.
pub const CLIENTS_MAX: usize = 64;

const KEY: &str = "bench";
const SIGNS: &str = "bench-signs";
const DEADLINE: Duration = Duration::from_secs(10);
