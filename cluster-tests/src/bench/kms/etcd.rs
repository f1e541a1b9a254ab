//! The peer for durable writes and linearizable reads: three nodes of etcd, with mutual TLS on
//! every connection, on the same disk.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustix::process::Pid;
use tokio::runtime::Runtime;

use super::channel;
use super::load::Caller;
use super::pki::Pki;
use crate::stack::free_addresses;
use crate::wait;

/// The cluster; its processes are killed when it is dropped.
pub struct Etcd {
    pki: Pki,
    nodes: Vec<Node>,
}

struct Node {
    client: SocketAddr,
    child: Child,
}

/// What a client asks for.
#[derive(Clone, Copy)]
pub enum Op {
    /// A value of [`VALUE_BYTES`] under a key of its own.
    Put,
    /// One value, linearizable.
    Get,
}

impl Etcd {
    /// Whether it is installed.
    pub fn installed() -> bool {
        Path::new(PROGRAM).exists()
    }

    /// Starts three nodes below `dir` and waits until one leads.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(runtime: &Runtime, dir: &Path, pki: &Pki) -> io::Result<Self> {
        let peers: [SocketAddr; NODES] = free_addresses();
        let cluster: Vec<_> = (0..NODES)
            .map(|n| format!("n{n}=https://{}", peers[n]))
            .collect();
        let cluster = cluster.join(",");
        let clients: [SocketAddr; NODES] = free_addresses();
        let nodes = (0..NODES).map(|n| {
            let child = start(dir, pki, n, clients[n], peers[n], &cluster)?;
            let client = clients[n];
            Ok(Node { client, child })
        });
        let etcd = Self {
            pki: pki.clone(),
            nodes: nodes.collect::<io::Result<_>>()?,
        };
        wait::until("etcd leads", || runtime.block_on(etcd.leader()));
        Ok(etcd)
    }

    /// Its processes.
    pub fn pids(&self) -> Vec<Pid> {
        let nodes = self.nodes.iter();
        nodes.map(|node| Pid::from_child(&node.child)).collect()
    }

    /// A client of the leader, or of another node, with a connection of its own.
    ///
    /// # Errors
    /// When it cannot connect.
    ///
    /// # Panics
    /// When nobody leads.
    pub async fn caller(&self, op: Op, at_leader: bool) -> Result<Caller, String> {
        let leader = self.leader().await.expect("a leader");
        let node = match at_leader {
            true => leader,
            false => (leader + 1) % NODES,
        };
        let channel = self.channel(node).await?;
        let own = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let value = Bytes::from(vec![7; VALUE_BYTES]);
        let count = Arc::new(AtomicU64::new(0));
        Ok(Box::new(move || {
            let (channel, value) = (channel.clone(), value.clone());
            let turn = match op {
                Op::Put => count.fetch_add(1, Ordering::Relaxed),
                Op::Get => 0,
            };
            let key = Bytes::from(format!("bench/{own}/{turn}"));
            Box::pin(async move {
                match op {
                    Op::Put => {
                        let put = PutRequest { key, value };
                        let answer = channel::unary::<_, Ignored>(channel, PUT, put);
                        answer.await.map(drop)
                    }
                    Op::Get => {
                        let range = RangeRequest { key };
                        let answer = channel::unary::<_, Ignored>(channel, RANGE, range);
                        answer.await.map(drop)
                    }
                }
            })
        }))
    }

    /// Which node leads, if one does.
    async fn leader(&self) -> Option<usize> {
        let mut ids = Vec::new();
        let mut leader = 0;
        for node in 0..NODES {
            let channel = self.channel(node).await.ok()?;
            let status = channel::unary::<_, StatusResponse>(channel, STATUS, StatusRequest {});
            let status = status.await.ok()?;
            ids.push(status.header?.member_id);
            leader = status.leader;
        }
        ids.iter().position(|id| *id == leader)
    }

    async fn channel(&self, node: usize) -> Result<tonic::transport::Channel, String> {
        let channel = channel::connect(self.nodes[node].client, self.pki.client()).await;
        channel.map_err(|error| error.to_string())
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // It may have ended already.
            drop(node.child.kill());
            drop(node.child.wait());
        }
    }
}

fn start(
    dir: &Path,
    pki: &Pki,
    n: usize,
    client: SocketAddr,
    peer: SocketAddr,
    cluster: &str,
) -> io::Result<Child> {
    std::fs::create_dir_all(dir)?;
    let log = File::create(dir.join(format!("etcd-{n}.log")))?;
    let [client, peer] = [client, peer].map(|address| format!("https://{address}"));
    let mut command = Command::new(PROGRAM);
    command
        .args(["--name", &format!("n{n}")])
        .arg("--data-dir")
        .arg(dir.join(format!("etcd-{n}")))
        .args(["--listen-client-urls", &client])
        .args(["--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer])
        .args(["--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", cluster])
        .args(["--initial-cluster-state", "new", "--logger", "zap"])
        .args(["--client-cert-auth", "--peer-client-cert-auth"]);
    for (option, path) in [
        ("trusted-ca-file", pki.ca()),
        ("cert-file", pki.certificate()),
        ("key-file", pki.key()),
    ] {
        command.arg(format!("--{option}")).arg(&path);
        command.arg(format!("--peer-{option}")).arg(&path);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// Of etcd's KV service, what is needed here.
#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
}

/// An answer of which nothing is looked at.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Ignored {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct StatusRequest {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(uint64, tag = "4")]
    leader: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Header {
    #[prost(uint64, tag = "2")]
    member_id: u64,
}

/// Bytes of a value: about what a new key costs in Ward's log.
pub const VALUE_BYTES: usize = 256;

static CLIENTS: AtomicU64 = AtomicU64::new(0);

const NODES: usize = 3;
const PROGRAM: &str = "/usr/bin/etcd";
const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const STATUS: &str = "/etcdserverpb.Maintenance/Status";
