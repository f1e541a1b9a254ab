//! Every ending of a connection, through the gateway pair and direct: what each side sees is the
//! same.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::SockRef;

use crate::stack::Plan;
use crate::wait;

/// How a read side ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// A FIN.
    Fin,
    /// A reset.
    Reset,
    /// Neither, within the deadline.
    Open,
}

/// What both sides saw: bytes and ending.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    device: (usize, End),
    server: (usize, End),
}

impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, server } = self;
        write!(
            out,
            "device {} B {:?}, server {} B {:?}",
            device.0, device.1, server.0, server.1
        )
    }
}

/// One ending, direct and through the pair.
pub struct Row {
    /// The case.
    pub name: &'static str,
    /// On one wire.
    pub direct: Seen,
    /// Through edge and core.
    pub pair: Seen,
}

impl Row {
    /// Whether both are the same.
    pub fn same(&self) -> bool {
        self.direct == self.pair
    }
}

type Case = fn(TcpStream, TcpStream) -> io::Result<Seen>;

const CASES: &[(&str, Case)] = &[
    ("close without a byte", close_without_a_byte),
    ("FIN by the device, half-close, answer", |device, server| {
        half_close(device, server).map(Seen::of)
    }),
    ("FIN by the server, half-close, answer", |device, server| {
        half_close(server, device).map(|(server, device)| Seen { device, server })
    }),
    ("reset by the device", |device, server| {
        reset(device, server).map(Seen::server_only)
    }),
    ("reset by the server", |device, server| {
        reset(server, device).map(Seen::device_only)
    }),
    ("reset by the device before a byte", |device, server| {
        reset_at_once(device, server).map(Seen::server_only)
    }),
    ("reset by the server before a byte", |device, server| {
        reset_at_once(server, device).map(Seen::device_only)
    }),
    ("reset by the device, server stalled", |device, server| {
        reset_stalled(device, server).map(Seen::server_only)
    }),
    ("reset by the server, device stalled", |device, server| {
        reset_stalled(server, device).map(Seen::device_only)
    }),
    ("server closes with unread data", |device, server| {
        close_unread(server, device).map(Seen::device_only)
    }),
    ("device closes with unread data", |device, server| {
        close_unread(device, server).map(Seen::server_only)
    }),
    (
        "FIN by the device, then reset by the server",
        |device, server| fin_then_reset(device, server).map(Seen::device_only),
    ),
    (
        "FIN by the server, then reset by the device",
        |device, server| fin_then_reset(server, device).map(Seen::server_only),
    ),
];

const BULK: usize = 1 << 20;

/// Runs every case `rounds` times and keeps the rows.
///
/// # Panics
/// When the stack does not come up or a case cannot be played.
pub fn run(ward: &Path, dir: &Path, rounds: usize) -> Vec<Row> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let server = listener.local_addr().expect("it is bound");
    let mut plan = Plan::new(ward, dir.join("data")).nodes(1);
    let pair = plan.route("mon-1", "tcp", server);
    let stack = plan.start();
    let mut rows = Vec::new();
    for _ in 0..rounds {
        for (name, case) in CASES {
            let play = |address| {
                let (device, server) = connect(address, &listener)?;
                case(device, server)
            };
            let direct = play(server).unwrap_or_else(|error| panic!("{name}, direct: {error}"));
            assert!(direct.has_end(), "{name}: there is nothing to compare with");
            let pair = play(pair).unwrap_or_else(|error| panic!("{name}, pair: {error}"));
            rows.push(Row { name, direct, pair });
        }
    }
    stack.stop();
    rows
}

fn connect(address: SocketAddr, listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let device = TcpStream::connect(address)?;
    listener.set_nonblocking(true)?;
    let server = wait::until("the server accepts", || listener.accept().ok()).0;
    server.set_nonblocking(false)?;
    for stream in [&device, &server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(wait::DEADLINE))?;
        stream.set_write_timeout(Some(wait::DEADLINE))?;
    }
    Ok((device, server))
}

impl Seen {
    /// Whether a side saw one.
    fn has_end(&self) -> bool {
        [self.device, self.server]
            .iter()
            .any(|(_, end)| *end != End::Open)
    }

    fn of((device, server): ((usize, End), (usize, End))) -> Self {
        Self { device, server }
    }

    /// For a case in which the device does not look any more.
    fn server_only(server: (usize, End)) -> Self {
        Self {
            device: (0, End::Open),
            server,
        }
    }

    /// For a case in which the server does not look any more.
    fn device_only(device: (usize, End)) -> Self {
        Self {
            device,
            server: (0, End::Open),
        }
    }
}

fn close_without_a_byte(device: TcpStream, server: TcpStream) -> io::Result<Seen> {
    device.shutdown(Shutdown::Write)?;
    let server_saw = read_to_end(&server)?;
    drop(server);
    Ok(Seen {
        device: read_to_end(&device)?,
        server: server_saw,
    })
}

/// One side ends its direction; the other still sends a megabyte before it ends too.
fn half_close(
    mut first: TcpStream,
    mut second: TcpStream,
) -> io::Result<((usize, End), (usize, End))> {
    first.write_all(b"the last word")?;
    first.shutdown(Shutdown::Write)?;
    let second_saw = read_to_end(&second)?;
    let sender = thread::spawn(move || -> io::Result<()> {
        second.write_all(&vec![7; BULK])?;
        second.shutdown(Shutdown::Write)
    });
    let first_saw = read_to_end(&first)?;
    sender.join().expect("the sender does not panic")?;
    Ok((first_saw, second_saw))
}

fn reset(mut who: TcpStream, other: TcpStream) -> io::Result<(usize, End)> {
    who.write_all(b"half a mess")?;
    let mut head = [0; 11];
    (&other).read_exact(&mut head)?;
    abort(who)?;
    read_to_end(&other)
}

fn reset_at_once(who: TcpStream, other: TcpStream) -> io::Result<(usize, End)> {
    abort(who)?;
    read_to_end(&other)
}

/// The other side does not read: the reset must overtake what it has not read.
fn reset_stalled(mut who: TcpStream, other: TcpStream) -> io::Result<(usize, End)> {
    fill(&mut who)?;
    abort(who)?;
    let noticed = wait_for_error(&other)?;
    // How many bytes arrived before is chance; how it ended is not.
    Ok((0, if noticed { End::Reset } else { End::Open }))
}

/// A close with unread data in the receive buffer is a reset (RFC 9293, 3.10.4; RFC 2525, 2.17).
fn close_unread(who: TcpStream, mut other: TcpStream) -> io::Result<(usize, End)> {
    other.write_all(b"nobody reads this")?;
    wait::until("the bytes arrive unread", || {
        who.peek(&mut [0; 1]).ok().filter(|read| *read == 1)
    });
    drop(who);
    read_to_end(&other)
}

fn fin_then_reset(who: TcpStream, other: TcpStream) -> io::Result<(usize, End)> {
    who.shutdown(Shutdown::Write)?;
    assert_eq!(read_to_end(&other)?, (0, End::Fin));
    abort(other)?;
    read_to_end(&who)
}

fn abort(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}

/// Writes until nothing moves any more.
fn fill(stream: &mut TcpStream) -> io::Result<()> {
    const QUIET: Duration = Duration::from_millis(300);
    stream.set_write_timeout(Some(QUIET))?;
    let chunk = vec![7; 64 << 10];
    loop {
        match stream.write(&chunk) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Whether the socket reports an error while nobody reads from it.
fn wait_for_error(stream: &TcpStream) -> io::Result<bool> {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    let patience = Timespec::try_from(wait::DEADLINE).expect("a short time");
    rustix::event::poll(&mut fds, Some(&patience))?;
    Ok(fds[0].revents().contains(PollFlags::ERR))
}

fn read_to_end(mut stream: &TcpStream) -> io::Result<(usize, End)> {
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok((bytes, End::Fin)),
            Ok(read) => bytes += read,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok((bytes, End::Reset));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok((bytes, End::Open));
            }
            Err(error) => return Err(error),
        }
    }
}
