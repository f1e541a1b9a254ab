//! The way to one listener, which can be cut for some processes while it stays open for others.
//!
//! All are told the same address; whose connection it is stands in `/proc`, where the connection's
//! inode is found among the process's open files.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Pid;
use socket2::SockRef;
use sys::task::{AbortOnDrop, spawn_on};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::wait;

/// The relay, for as long as it is held.
pub struct Relay {
    /// Where processes connect to.
    pub address: SocketAddr,
    ways: Arc<Ways>,
    _accepting: AbortOnDrop<()>,
}

struct Ways {
    address: SocketAddr,
    target: SocketAddr,
    /// Who is refused, and whose connections are reset.
    cut: watch::Sender<Vec<Pid>>,
    /// The other ends of what is connected.
    live: Mutex<HashSet<SocketAddr>>,
}

impl Relay {
    /// Listens on a free port of loopback; what comes goes to `target`.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub fn start(runtime: &Handle, target: SocketAddr) -> Self {
        let _inside = runtime.enter();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("it is bound");
        let listener = TcpListener::from_std(listener).expect("a socket");
        let ways = Arc::new(Ways {
            address,
            target,
            cut: watch::Sender::new(Vec::new()),
            live: Mutex::default(),
        });
        let accepting = accept(listener, Arc::clone(&ways));
        Self {
            address,
            ways,
            _accepting: AbortOnDrop(spawn_on(runtime, "relay", accepting)),
        }
    }

    /// Whether it can be seen here what this process is connected to: root alone sees that of a
    /// process that hardens itself, as Ward's do.
    pub fn can_tell(process: Pid) -> bool {
        fs::read_dir(open_files(process)).is_ok()
    }

    /// Cuts the way for these processes alone; returns when nothing of theirs is connected.
    ///
    /// # Panics
    /// When a connection outlives that.
    pub fn cut(&self, processes: &[Pid]) {
        self.ways.cut.send_replace(processes.to_vec());
        wait::until("the way is cut", || {
            let live = self.ways.live.lock().expect("no task panicked").clone();
            let theirs = |peer: &SocketAddr| self.ways.is_of(processes, *peer);
            (!live.iter().any(theirs)).then_some(())
        });
    }

    /// Opens the way for all.
    pub fn mend(&self) {
        self.ways.cut.send_replace(Vec::new());
    }
}

async fn accept(listener: TcpListener, ways: Arc<Ways>) {
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, peer)) = accepted {
                    carried.spawn(carry(stream, peer, Arc::clone(&ways)));
                }
            }
            Some(_) = carried.join_next() => {}
        }
    }
}

async fn carry(mut stream: TcpStream, peer: SocketAddr, ways: Arc<Ways>) {
    ways.live.lock().expect("no task panicked").insert(peer);
    let mut cut = ways.cut.subscribe();
    tokio::select! {
        // A process whose way is cut does not get a byte through.
        biased;
        _ = cut.wait_for(|cut| ways.is_of(cut, peer)) => {}
        () = pass(&mut stream, ways.target) => {}
    }
    // Whichever way it ended: a reset is what a broken way brings.
    drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
    drop(stream);
    ways.live.lock().expect("no task panicked").remove(&peer);
}

async fn pass(stream: &mut TcpStream, target: SocketAddr) {
    let Ok(mut onward) = TcpStream::connect(target).await else {
        return;
    };
    for end in [&*stream, &onward] {
        // Only a matter of speed here.
        drop(end.set_nodelay(true));
    }
    // Who is connected notices how it ended.
    drop(copy_bidirectional(stream, &mut onward).await);
}

impl Ways {
    /// Whether the connection from `peer` is of one of these processes.
    fn is_of(&self, processes: &[Pid], peer: SocketAddr) -> bool {
        if processes.is_empty() {
            return false;
        }
        let Some(inode) = inode(peer.port(), self.address.port()) else {
            return false;
        };
        let name = format!("socket:[{inode}]");
        processes.iter().any(|process| {
            let files = fs::read_dir(open_files(*process)).into_iter().flatten();
            let mut links = files
                .flatten()
                .filter_map(|file| fs::read_link(file.path()).ok());
            links.any(|link| link.as_os_str() == name.as_str())
        })
    }
}

fn open_files(process: Pid) -> String {
    format!("/proc/{}/fd", process.as_raw_nonzero())
}

/// The inode of the connection between two ports of loopback, at the end with port `local`.
fn inode(local: u16, remote: u16) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux has procfs");
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |field: usize| {
            let (_, port) = fields.get(field)?.rsplit_once(':')?;
            u16::from_str_radix(port, 16).ok()
        };
        let found = port(1) == Some(local) && port(2) == Some(remote);
        found.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}
