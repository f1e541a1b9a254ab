//! TCP as the gateway uses it: exclusive listeners, legs that are reset unless they ended cleanly,
//! reads and writes that cost one system call. Used by the edge, the core and the tunnel.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};

use crate::limits::{
    KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, LISTEN_BACKLOG, PEER_SILENCE_MAX,
};

/// A plain connection: a device's, or ours to a service.
///
/// Dropped without [`close`](Self::close) it is reset: by an abort, by a panic, and also by the
/// kernel when this process is killed. A stream that was cut is never a clean end.
#[derive(Debug)]
pub struct Leg(TcpStream);

impl Leg {
    /// Takes a connection of a listener made by [`listen_for_legs`], which already gave it every
    /// option.
    pub fn accepted(tcp: TcpStream) -> Self {
        Self(tcp)
    }

    /// Connects to a service.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = new_socket(address)?;
        SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO))?;
        Ok(Self(socket.connect(address).await?))
    }

    /// The connection.
    pub fn tcp(&self) -> &TcpStream {
        &self.0
    }

    /// Moves it to the runtime of the thread that calls.
    ///
    /// # Errors
    /// The runtime does not take it; it is reset then.
    pub fn rehome(self) -> io::Result<Self> {
        Ok(Self(TcpStream::from_std(self.0.into_std()?)?))
    }

    /// Returns when its peer has reset it and nothing of it is left to carry. What came before a
    /// reset is carried on, as it would be directly.
    pub async fn gone(&self) -> io::Error {
        let readiness = self.0.ready(Interest::ERROR).await;
        if unread(&self.0) > 0 {
            // The error stays in the socket, for the pump to find behind the bytes.
            return std::future::pending().await;
        }
        readiness.err().unwrap_or_else(|| error_of(&self.0))
    }

    /// Looks whether it is [`gone`](Self::gone) at this moment, also where the runtime has not
    /// heard of it yet.
    ///
    /// # Errors
    /// The reset.
    pub fn check(&self) -> io::Result<()> {
        match peek(&self.0) {
            Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The connection, for what is said on it outside of a flow.
    pub fn tcp_mut(&mut self) -> &mut TcpStream {
        &mut self.0
    }

    /// Ends a connection both of whose directions have ended: the kernel still delivers what it
    /// holds.
    ///
    /// # Errors
    /// The socket refuses the option; it is reset then.
    pub fn close(self) -> io::Result<()> {
        SockRef::from(&self.0).set_linger(None)
    }
}

/// Binds a listener for devices. Its connections inherit every option, so that accepting one
/// costs one system call.
///
/// # Errors
/// `AddrInUse` when anything else listens there.
pub fn listen_for_legs(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = bind(address)?;
    socket.set_linger(Some(std::time::Duration::ZERO))?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket.into())
}

/// Binds a listener for tunnels.
///
/// # Errors
/// `AddrInUse` when anything else listens there.
pub fn listen_for_tunnels(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = bind(address)?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket.into())
}

/// Connects to a core's tunnel listener.
///
/// # Errors
/// The kernel's answer.
pub async fn connect_tunnel(address: SocketAddr) -> io::Result<TcpStream> {
    new_socket(address)?.connect(address).await
}

/// Makes a connection end with a reset when it is dropped: the peer learns it at once, whatever is
/// still queued.
pub fn reset(tcp: &TcpStream) {
    if let Err(error) = SockRef::from(tcp).set_linger(Some(std::time::Duration::ZERO)) {
        // The peer then sees an end inside a flow, which is an abort as well.
        tracing::debug!(%error, "a connection could not be reset");
    }
}

/// Returns when the connection was reset or has died, with the error; also while nobody reads or
/// writes it.
pub async fn failed(tcp: &TcpStream) -> io::Error {
    match tcp.ready(Interest::ERROR).await {
        Ok(_) => error_of(tcp),
        Err(error) => error,
    }
}

/// How many bytes came in and were not read yet; none where the kernel does not tell.
pub fn unread(tcp: &TcpStream) -> u64 {
    rustix::io::ioctl_fionread(tcp).unwrap_or(0)
}

/// The error a connection was woken for.
pub fn error_of(tcp: &TcpStream) -> io::Error {
    match tcp.take_error() {
        Ok(Some(error)) | Err(error) => error,
        Ok(None) => io::ErrorKind::ConnectionReset.into(),
    }
}

/// When a read asks the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// When it has said that there is something; otherwise the task is woken when there is.
    WhenReady,
    /// At once, and nobody is woken: for what may have come in since.
    Now,
}

/// Reads what is there, into several places. Zero is the end of the stream.
pub fn poll_receive_vectored(
    tcp: &TcpStream,
    context: &mut Context<'_>,
    places: &mut [io::IoSliceMut<'_>],
    ask: Ask,
) -> Poll<io::Result<usize>> {
    let room = places.iter().map(|place| place.len()).sum();
    poll_read(tcp, context, room, ask, || rustix::io::readv(tcp, places))
}

/// Reads what is there. Zero is the end of the stream.
pub fn poll_receive(
    tcp: &TcpStream,
    context: &mut Context<'_>,
    place: &mut [u8],
    ask: Ask,
) -> Poll<io::Result<usize>> {
    poll_read(tcp, context, place.len(), ask, || {
        rustix::net::recv(tcp, &mut *place, RecvFlags::empty()).map(|(_, count)| count)
    })
}

fn poll_read(
    tcp: &TcpStream,
    context: &mut Context<'_>,
    room: usize,
    ask: Ask,
    mut attempt: impl FnMut() -> rustix::io::Result<usize>,
) -> Poll<io::Result<usize>> {
    if ask == Ask::Now {
        return match attempt() {
            Err(rustix::io::Errno::WOULDBLOCK) => Poll::Pending,
            result => Poll::Ready(result.map_err(io::Error::from)),
        };
    }
    loop {
        ready!(tcp.poll_read_ready(context))?;
        if let Some(result) = once(tcp, Interest::READABLE, room, &mut attempt) {
            return Poll::Ready(result);
        }
    }
}

/// Writes what the kernel takes.
pub fn poll_send(
    tcp: &TcpStream,
    context: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(tcp.poll_write_ready(context))?;
        let attempt = || rustix::net::send(tcp, bytes, SendFlags::NOSIGNAL);
        if let Some(result) = once(tcp, Interest::WRITABLE, bytes.len(), attempt) {
            return Poll::Ready(result);
        }
    }
}

/// What has become of the bytes that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The peer has taken all the kernel could send. From here on keepalive finds a dead peer, and
    /// the kernel's own window probes one whose window is closed.
    Taken,
    /// Some are on their way.
    InFlight,
    /// Some were sent and the peer has said nothing for too long, not even to a probe.
    Unanswered,
}

/// Looks what has become of the bytes sent; a reader that stalls is no dead peer.
///
/// # Errors
/// The kernel's answer.
pub fn sent(tcp: &TcpStream) -> io::Result<Sent> {
    let progress = sys::tcp::progress(tcp)?;
    Ok(match progress.in_flight {
        true if progress.silent_for > PEER_SILENCE_MAX => Sent::Unanswered,
        true => Sent::InFlight,
        false => Sent::Taken,
    })
}

/// Whether an idle connection is still as it was: open, with nothing to read.
pub fn is_quiet(tcp: &TcpStream) -> bool {
    peek(tcp) == Err(rustix::io::Errno::WOULDBLOCK)
}

/// Looks whether there is anything to read, the end of the stream included.
fn peek(tcp: &TcpStream) -> rustix::io::Result<()> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    rustix::net::recv(tcp, &mut [0], flags).map(drop)
}

/// Tries one system call. `None`: it would block, and the socket is marked so.
///
/// A call that moved less than there was room for has emptied (or filled) the kernel's buffer, so
/// the socket is marked not ready at once: the next event will come by itself, and the call that
/// would only have said "would block" is saved.
fn once(
    tcp: &TcpStream,
    interest: Interest,
    room: usize,
    attempt: impl FnOnce() -> rustix::io::Result<usize>,
) -> Option<io::Result<usize>> {
    let mut moved = None;
    let result = tcp.try_io(interest, || {
        let count = attempt()?;
        if 0 < count && count < room {
            moved = Some(count);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(count)
    });
    match (moved, result) {
        (Some(count), _) => Some(Ok(count)),
        (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
        (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => None,
        (None, result) => Some(result),
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Lets a port be bound again right after its last listener closed; Linux still refuses it
    // while anyone listens there, which SO_REUSEPORT would not.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    set_options(&SockRef::from(&socket))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn new_socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    set_options(&SockRef::from(&socket))?;
    Ok(socket)
}

fn set_options(socket: &SockRef<'_>) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    // No TCP_USER_TIMEOUT: the kernel takes a peer that answers window probes for a dead one when
    // its reader stalls that long. [`sent`] knows them apart.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_refused() {
        let first = listen_for_legs("127.0.0.1:0".parse().unwrap()).unwrap();
        let again = listen_for_legs(first.local_addr().unwrap());
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn accepted_connections_inherit_the_options() {
        let listener = listen_for_legs("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (accepted, _) = accepted.unwrap();
        let options = SockRef::from(&accepted);
        assert!(options.tcp_nodelay().unwrap());
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(options.tcp_user_timeout().unwrap(), None);
        assert_eq!(options.linger().unwrap(), Some(std::time::Duration::ZERO));
    }

    #[tokio::test]
    async fn a_leg_is_gone_when_it_was_reset_and_nothing_is_left_of_it() {
        for left in [false, true] {
            let listener = listen_for_legs("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let address = listener.local_addr().unwrap();
            let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let leg = Leg::accepted(accepted.unwrap().0);
            let mut client = client.unwrap();
            assert!(leg.check().is_ok());
            if left {
                tokio::io::AsyncWriteExt::write_all(&mut client, b"x")
                    .await
                    .unwrap();
            }
            reset(&client);
            drop(client);
            // It takes no error out of the socket, as `failed` does.
            leg.tcp().ready(Interest::ERROR).await.unwrap();
            if left {
                leg.check().unwrap();
            } else {
                leg.check().unwrap_err();
                // Also when the error was taken.
                leg.gone().await;
            }
        }
    }

    #[tokio::test]
    async fn a_dropped_leg_is_a_reset_and_a_closed_one_is_not() {
        for clean in [true, false] {
            let listener = listen_for_legs("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let address = listener.local_addr().unwrap();
            let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let leg = Leg::accepted(accepted.unwrap().0);
            if clean {
                leg.close().unwrap();
            } else {
                drop(leg);
            }
            let mut client = client.unwrap();
            let mut byte = [0];
            let read = tokio::io::AsyncReadExt::read(&mut client, &mut byte).await;
            match (clean, read) {
                (true, Ok(0)) => {}
                (false, Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {}
                (_, read) => panic!("clean: {clean}, the peer saw {read:?}"),
            }
        }
    }
}
