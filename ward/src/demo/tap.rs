//! Somebody who listens between the gateways: a relay that passes every byte on and keeps a copy.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sys::task::AbortOnDrop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::error::Failure;
use crate::up::ClusterFile;

/// Most bytes that are kept; what passes beyond them is counted.
const KEPT_MAX: usize = 64 << 20;

/// The relay, for as long as it is held.
pub(super) struct Tap {
    /// Where the edge shall connect to.
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    _relaying: AbortOnDrop<()>,
}

/// What passed.
#[derive(Default)]
pub(super) struct Heard {
    /// The bytes, as they came, of both directions.
    pub(super) bytes: Vec<u8>,
    /// How many passed, kept or not.
    pub(super) count: u64,
}

impl Tap {
    /// Listens; what comes goes to the core of the cluster in `dir`.
    pub(super) async fn start(dir: &Path) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|error| Failure::io("the tap", &error))?;
        let address = listener.local_addr();
        let address = address.map_err(|error| Failure::io("the tap", &error))?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let relaying = relay_all(listener, dir.join("cluster.toml"), Arc::clone(&heard));
        Ok(Self {
            address,
            heard,
            _relaying: AbortOnDrop(sys::task::spawn("tap", relaying)),
        })
    }

    /// Takes what was heard since the last time.
    pub(super) fn take(&self) -> Heard {
        std::mem::take(&mut *locked(&self.heard))
    }
}

fn locked(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    // Appended to in one step.
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn relay_all(listener: TcpListener, cluster: PathBuf, heard: Arc<Mutex<Heard>>) {
    // As many as the edge opens, and owned: they end with the tap.
    let mut relays = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((edge, _)) = accepted {
                    relays.spawn(relay(edge, cluster.clone(), Arc::clone(&heard)));
                }
            }
            Some(_) = relays.join_next() => {}
        }
    }
}

/// An end is passed on as an end, anything else resets both sides, as the wire would.
async fn relay(edge: TcpStream, cluster: PathBuf, heard: Arc<Mutex<Heard>>) {
    let Ok(Some(file)) = ClusterFile::load(&cluster) else {
        return;
    };
    let Ok(core) = TcpStream::connect((Ipv4Addr::LOCALHOST, file.core.tunnel)).await else {
        return;
    };
    for stream in [&edge, &core] {
        // Only a matter of speed here.
        drop(stream.set_nodelay(true));
    }
    let ((from_edge, to_edge), (from_core, to_core)) = (edge.into_split(), core.into_split());
    let ways = tokio::try_join!(
        pass(from_edge, to_core, &heard),
        pass(from_core, to_edge, &heard),
    );
    drop(ways);
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    heard: &Mutex<Heard>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) => return to.shutdown().await,
            Ok(count) => count,
            Err(error) => {
                to.as_ref().set_zero_linger()?;
                return Err(error);
            }
        };
        {
            let mut heard = locked(heard);
            heard.count += count as u64;
            let room = KEPT_MAX - heard.bytes.len();
            heard.bytes.extend_from_slice(&buffer[..count.min(room)]);
        }
        if let Err(error) = to.write_all(&buffer[..count]).await {
            from.as_ref().set_zero_linger()?;
            return Err(error);
        }
    }
}
