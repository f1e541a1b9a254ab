//! The way to one listener, which can be cut for some processes while it stays open for others: all
//! are told the same address.

use std::collections::HashSet;
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

use crate::{sockets, wait};

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
        sockets::can_tell(process)
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
        sockets::owner(processes.iter().copied(), peer, self.address).is_some()
    }
}
