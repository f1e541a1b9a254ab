//! Flows that stream in both directions all the time, and what has arrived at either end.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sys::task::{AbortOnDrop, spawn, spawn_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How an end writes.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Bytes of one write.
    pub write: usize,
    /// The time between two.
    pub every: Duration,
}

/// The server behind every route: it knows flows by the number that they begin with.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    numbers: AtomicU64,
    expected: Arc<Expected>,
    _accepting: AbortOnDrop<()>,
}

type Expected = Mutex<HashMap<u64, oneshot::Sender<TcpStream>>>;

/// One flow, with both its ends.
pub struct Flow {
    /// The device's and the server's.
    ends: [End; 2],
}

struct End {
    seen: Arc<Seen>,
    _streaming: AbortOnDrop<()>,
}

/// What one end has seen; shared with the task that reads.
struct Seen {
    stream: TcpStream,
    said: AtomicU64,
    heard: Mutex<Heard>,
}

struct Heard {
    bytes: u64,
    last: Instant,
    ended: bool,
}

impl Server {
    /// Listens on a free port of loopback.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub fn start(runtime: &Handle) -> Self {
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let expected = Arc::<Expected>::default();
        let accepting = accept(listener, Arc::clone(&expected));
        Self {
            address,
            numbers: AtomicU64::new(0),
            expected,
            _accepting: AbortOnDrop(spawn_on(runtime, "server", accepting)),
        }
    }

    /// Opens a flow from a device's port, and lets both ends stream.
    ///
    /// # Errors
    /// When the flow is refused or cut before it has reached the server.
    ///
    /// # Panics
    /// When a task panicked.
    pub async fn open(&self, entry: SocketAddr, pace: Pace) -> io::Result<Flow> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (sender, arrival) = oneshot::channel();
        let expected = || self.expected.lock().expect("no task panicked");
        expected().insert(number, sender);
        let opened = timeout(OPEN_MAX, meet(entry, number, arrival)).await;
        expected().remove(&number);
        let (device, server) = opened??;
        Ok(Flow {
            ends: [End::stream(device, pace), End::stream(server, pace)],
        })
    }
}

/// The device's end, and the server's when the number has come through.
async fn meet(
    entry: SocketAddr,
    number: u64,
    arrival: oneshot::Receiver<TcpStream>,
) -> io::Result<(TcpStream, TcpStream)> {
    let mut device = TcpStream::connect(entry).await?;
    device.set_nodelay(true)?;
    device.write_all(&number.to_be_bytes()).await?;
    tokio::select! {
        server = arrival => Ok((device, server.map_err(io::Error::other)?)),
        // The server does not speak first: this is a refusal.
        read = device.read_u8() => Err(read.err().unwrap_or(ErrorKind::InvalidData.into())),
    }
}

async fn accept(listener: TcpListener, expected: Arc<Expected>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        // The number comes with the flow's first bytes; a flow that is cut before has none.
        let Ok(Ok(number)) = timeout(OPEN_MAX, stream.read_u64()).await else {
            continue;
        };
        let device = expected.lock().expect("no task panicked").remove(&number);
        if let Some(device) = device {
            // Whoever opened it may have given it up.
            drop(stream.set_nodelay(true));
            drop(device.send(stream));
        }
    }
}

impl Flow {
    /// Whether both ends have noticed its end.
    pub fn has_ended(&self) -> bool {
        self.ends.iter().all(|end| end.heard().ended)
    }

    /// Whether neither end has noticed an end.
    pub fn is_whole(&self) -> bool {
        !self.ends.iter().any(|end| end.heard().ended)
    }

    /// Whether both ends have heard something after `at`.
    pub fn went_on_after(&self, at: Instant) -> bool {
        self.ends.iter().all(|end| end.heard().last > at)
    }

    /// When something was read last, at either end.
    pub fn last(&self) -> Instant {
        let [device, server] = self.ends.each_ref().map(|end| end.heard().last);
        device.max(server)
    }

    /// The bytes that both ends have written.
    pub fn said(&self) -> u64 {
        let said = |end: &End| end.seen.said.load(Ordering::Relaxed);
        self.ends.iter().map(said).sum()
    }

    /// The bytes that have arrived at the device's end and at the server's, read or not.
    pub fn arrived(&self) -> [u64; 2] {
        self.ends.each_ref().map(End::arrived)
    }
}

impl End {
    fn stream(stream: TcpStream, pace: Pace) -> Self {
        let seen = Arc::new(Seen {
            stream,
            said: AtomicU64::new(0),
            heard: Mutex::new(Heard {
                bytes: 0,
                last: sys::clock::monotonic(),
                ended: false,
            }),
        });
        let task = Arc::clone(&seen);
        let streaming = spawn("end of a flow", async move {
            tokio::join!(task.read(), task.write(pace));
        });
        Self {
            seen,
            _streaming: AbortOnDrop(streaming),
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.seen.heard()
    }

    /// Read and counted under one lock, so that nothing is missed or counted twice in between.
    fn arrived(&self) -> u64 {
        let heard = self.heard();
        heard.bytes + rustix::io::ioctl_fionread(&self.seen.stream).expect("a socket")
    }
}

impl Seen {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("no task panicked")
    }

    async fn read(&self) {
        let mut place = vec![0; 1 << 16];
        loop {
            let readable = self.stream.readable().await;
            let mut heard = self.heard();
            match readable.and_then(|()| self.stream.try_read(&mut place)) {
                Ok(count @ 1..) => {
                    heard.bytes += count as u64;
                    heard.last = sys::clock::monotonic();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => {
                    heard.ended = true;
                    return;
                }
            }
        }
    }

    async fn write(&self, pace: Pace) {
        let bytes = vec![7; pace.write];
        let mut tick = interval(pace.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut left: &[u8] = &[];
        loop {
            if left.is_empty() {
                tick.tick().await;
                left = &bytes;
            }
            let writable = self.stream.writable().await;
            match writable.and_then(|()| self.stream.try_write(left)) {
                Ok(count) => {
                    left = &left[count..];
                    self.said.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The end that reads notices it.
                Err(_) => return,
            }
        }
    }
}

/// How long a flow may take to reach the server.
const OPEN_MAX: Duration = Duration::from_secs(10);
