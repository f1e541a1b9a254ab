//! A plain TCP relay between edge and core, so that tests can count, look into, cut and reset the
//! tunnels.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

use crate::pair::until;

/// See the module.
pub(crate) struct Relay(RelayHandle);

/// What the pair's setup needs of it.
#[derive(Clone)]
pub(crate) struct RelayHandle {
    listener: Arc<TcpListener>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connections: usize,
    live: Vec<TcpStream>,
    /// Threads that hold an end of a tunnel.
    passing: usize,
    seen: Vec<u8>,
    /// Nothing is passed on any more, and nobody is told.
    silent: bool,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        Self(RelayHandle {
            listener,
            state: Arc::default(),
        })
    }

    pub(crate) fn handle(&self) -> RelayHandle {
        self.0.clone()
    }

    /// Tunnels made so far.
    pub(crate) fn connections(&self) -> usize {
        self.0.state.lock().unwrap().connections
    }

    /// Everything seen on the wire, both ways.
    pub(crate) fn seen(&self) -> Vec<u8> {
        self.0.state.lock().unwrap().seen.clone()
    }

    /// Resets every tunnel at both ends; afterwards they are gone, whether or not anybody looked.
    pub(crate) fn reset_all(&self) {
        for tcp in self.0.state.lock().unwrap().live.drain(..) {
            SockRef::from(&tcp)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            // Both threads of the pair hold a descriptor: the reset goes out with the last one.
            tcp.shutdown(Shutdown::Read).unwrap_or_default();
        }
        until("the resets are out", || {
            (self.0.state.lock().unwrap().passing == 0).then_some(())
        });
    }

    /// Lets every tunnel look open and swallows what is sent on it, as a lost address translation
    /// does.
    pub(crate) fn fall_silent(&self) {
        self.0.state.lock().unwrap().silent = true;
    }

    /// Ends every tunnel with a FIN at both ends, in the middle of whatever it carries.
    pub(crate) fn cut_all(&self) {
        for tcp in self.0.state.lock().unwrap().live.drain(..) {
            tcp.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }
}

impl RelayHandle {
    /// Relays from here on, in the background, until the process ends.
    pub(crate) fn relay_to(&self, core: SocketAddr) -> SocketAddr {
        let (listener, state) = (Arc::clone(&self.listener), Arc::clone(&self.state));
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for edge in listener.incoming() {
                let (edge, core) = (edge.unwrap(), TcpStream::connect(core).unwrap());
                edge.set_nodelay(true).unwrap();
                core.set_nodelay(true).unwrap();
                let mut now = state.lock().unwrap();
                now.connections += 1;
                now.passing += 2;
                now.live.push(edge.try_clone().unwrap());
                now.live.push(core.try_clone().unwrap());
                drop(now);
                pump(
                    edge.try_clone().unwrap(),
                    core.try_clone().unwrap(),
                    Arc::clone(&state),
                );
                pump(core, edge, Arc::clone(&state));
            }
        });
        address
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, state: Arc<Mutex<State>>) {
    std::thread::spawn(move || {
        pass_on(&mut from, &mut to, &state);
        drop((from, to));
        state.lock().unwrap().passing -= 1;
    });
}

fn pass_on(from: &mut TcpStream, to: &mut TcpStream, state: &Mutex<State>) {
    let mut place = vec![0; 64 * 1024];
    loop {
        match from.read(&mut place) {
            Ok(0) => {
                to.shutdown(Shutdown::Write).unwrap_or_default();
                return;
            }
            Ok(count) => {
                let bytes = &place[..count];
                let mut now = state.lock().unwrap();
                now.seen.extend_from_slice(bytes);
                let silent = now.silent;
                drop(now);
                if silent {
                    continue;
                }
                if to.write_all(bytes).is_err() {
                    return;
                }
            }
            Err(_) => {
                SockRef::from(&*to)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap_or_default();
                to.shutdown(Shutdown::Both).unwrap_or_default();
                return;
            }
        }
    }
}
