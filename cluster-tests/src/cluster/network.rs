//! The ways between nodes, each direction of which can be cut or slow: nothing is reset, what is
//! sent waits, as on a network that loses packets.
//!
//! ```text
//! node A ──connection──▶ door of B ──▶ node B's peer listener
//!        A→B: held while (A, B) is cut      B→A: held while (B, A) is cut
//! ```

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Pid;
use sys::task::{AbortOnDrop, spawn_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sockets;

/// The ways, for as long as it is held.
pub(super) struct Network {
    runtime: Handle,
    ways: Arc<Ways>,
    doors: Vec<AbortOnDrop<()>>,
}

/// What is wrong with a way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing goes.
    Cut,
    /// Everything takes so much longer.
    Slow(Duration),
}

/// From whom to whom.
type Way = (usize, usize);

type Faults = BTreeMap<Way, Fault>;

struct Ways {
    processes: Mutex<BTreeMap<usize, Pid>>,
    faults: watch::Sender<Faults>,
}

impl Network {
    /// A network without nodes, its doors on this runtime.
    pub(super) fn new(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            ways: Arc::new(Ways {
                processes: Mutex::default(),
                faults: watch::Sender::new(Faults::new()),
            }),
            doors: Vec::new(),
        }
    }

    /// Makes the address by which others reach the listener of node `to`.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub(super) fn door(&mut self, to: usize, listener: SocketAddr) -> SocketAddr {
        let _inside = self.runtime.enter();
        let door = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        door.set_nonblocking(true).expect("a socket");
        let address = door.local_addr().expect("it is bound");
        let door = TcpListener::from_std(door).expect("a socket");
        let accepting = accept(door, to, listener, Arc::clone(&self.ways));
        let task = spawn_on(&self.runtime, "door", accepting);
        self.doors.push(AbortOnDrop(task));
        address
    }

    /// Tells which process a node is from now on.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub(super) fn is(&self, node: usize, process: Pid) {
        let mut processes = self.ways.processes.lock().expect("no task panicked");
        processes.insert(node, process);
    }

    /// Cuts these ways, each from one node to another, whatever else is wrong with others.
    pub(super) fn cut(&self, ways: impl IntoIterator<Item = Way>) {
        self.spoil(ways, Fault::Cut);
    }

    /// Lets everything on these ways take so much longer.
    pub(super) fn slow(&self, ways: impl IntoIterator<Item = Way>, by: Duration) {
        self.spoil(ways, Fault::Slow(by));
    }

    fn spoil(&self, ways: impl IntoIterator<Item = Way>, fault: Fault) {
        let ways = ways.into_iter().map(|way| (way, fault));
        self.ways.faults.send_modify(|faults| faults.extend(ways));
    }

    /// Opens every way; what was sent meanwhile arrives.
    pub(super) fn heal(&self) {
        self.ways.faults.send_replace(Faults::new());
    }
}

impl Ways {
    fn who(&self, peer: SocketAddr, here: SocketAddr) -> Option<usize> {
        let processes = self.processes.lock().expect("no task panicked").clone();
        let place = sockets::owner(processes.values().copied(), peer, here)?;
        processes.keys().nth(place).copied()
    }
}

async fn accept(door: TcpListener, to: usize, listener: SocketAddr, ways: Arc<Ways>) {
    let here = door.local_addr().expect("it is bound");
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = door.accept() => {
                // Who is gone already was nobody's.
                if let Ok((stream, peer)) = accepted
                    && let Some(from) = ways.who(peer, here)
                {
                    carried.spawn(carry(stream, listener, (from, to), ways.faults.subscribe()));
                }
            }
            Some(_) = carried.join_next() => {}
        }
    }
}

async fn carry(
    near: TcpStream,
    listener: SocketAddr,
    (from, to): Way,
    faults: watch::Receiver<Faults>,
) {
    let Ok(far) = TcpStream::connect(listener).await else {
        return;
    };
    for end in [&near, &far] {
        // Only a matter of speed here.
        drop(end.set_nodelay(true));
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let there = pass(near_read, far_write, (from, to), faults.clone());
    let back = pass(far_read, near_write, (to, from), faults);
    // An error of one direction ends both, an end of it only that one.
    drop(tokio::try_join!(there, back));
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut faults: watch::Receiver<Faults>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        // The network is gone with its sender: so are all ways.
        let gone = |_| std::io::ErrorKind::NotConnected;
        let open = faults.wait_for(|faults| faults.get(&way) != Some(&Fault::Cut));
        let fault = open.await.map_err(gone)?.get(&way).copied();
        if let Some(Fault::Slow(by)) = fault {
            tokio::time::sleep(by).await;
        }
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::wait;

    #[test]
    fn a_cut_holds_one_direction_and_a_slow_way_delays_one_and_nothing_is_lost() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut network = Network::new(runtime.handle());
        let door = network.door(2, listener.local_addr().unwrap());
        let own = rustix::process::getpid();
        if !sockets::can_tell(own) {
            crate::skip::skip("ways between nodes (only root sees whose a connection is)");
            return;
        }
        network.is(1, own);
        let mut near = TcpStream::connect(door).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let exchange = |from: &mut TcpStream, to: &mut TcpStream| {
            from.write_all(b"x").unwrap();
            to.read_exact(&mut [0]).unwrap();
        };
        exchange(&mut near, &mut far);
        exchange(&mut far, &mut near);
        network.cut([(1, 2)]);
        exchange(&mut far, &mut near);
        near.write_all(b"held").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        assert!(
            far.read(&mut [0; 4]).is_err(),
            "nothing comes while it is cut"
        );
        network.heal();
        let mut held = [0; 4];
        let come = wait::within(wait::DEADLINE, || far.read_exact(&mut held).ok());
        assert!(come.is_some() && &held == b"held");
        let by = Duration::from_millis(200);
        network.slow([(2, 1)], by);
        let begun = sys::clock::monotonic();
        exchange(&mut near, &mut far);
        exchange(&mut far, &mut near);
        assert!(begun.elapsed() >= by, "{:?}", begun.elapsed());
    }
}
