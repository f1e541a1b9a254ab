//! Telling a supervisor that a process is ready (the `sd_notify` protocol), and hearing it.
//!
//! Works under systemd and under `ward up` alike: a datagram `READY=1` to `$NOTIFY_SOCKET`.

use std::io;
use std::mem::MaybeUninit;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::IoSliceMut;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};
use tokio::io::Interest;

/// The variable that names the supervisor's socket: a path, or `@` and an abstract name.
pub const VARIABLE: &str = "NOTIFY_SOCKET";

/// Tells the supervisor, where there is one, that this process serves now.
///
/// # Errors
///
/// When the supervisor's socket cannot be reached.
pub fn ready() -> io::Result<()> {
    send(b"READY=1")
}

/// Tells the supervisor, where there is one, a line about what the process does.
///
/// # Errors
///
/// When the supervisor's socket cannot be reached.
pub fn status(line: &str) -> io::Result<()> {
    send(format!("STATUS={}", line.replace('\n', " ")).as_bytes())
}

/// The supervisor's end: one for each start of a child, so that an old child's word is not taken
/// for the new one's.
#[derive(Debug)]
pub struct Listener {
    socket: tokio::net::UnixDatagram,
}

impl Listener {
    /// Binds an abstract socket; the second value is what the child gets as [`VARIABLE`].
    ///
    /// # Errors
    ///
    /// When the socket cannot be made.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O enabled.
    pub fn bind() -> io::Result<(Self, String)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let started_ns = crate::clock::boottime().as_nanos();
        let name = format!("ward-notify-{}-{started_ns}-{number}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        // Abstract names have no permissions: the kernel tells whose datagram it is.
        sockopt::set_socket_passcred(&socket, true)?;
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixDatagram::from_std(socket)?;
        Ok((Self { socket }, format!("@{name}")))
    }

    /// Waits until a process of the same user says that it is ready.
    ///
    /// # Errors
    ///
    /// When the socket fails.
    pub async fn ready(&self) -> io::Result<()> {
        loop {
            if self
                .socket
                .async_io(Interest::READABLE, || self.receive())
                .await?
            {
                return Ok(());
            }
        }
    }

    /// Takes one datagram; true when it says `READY=1` and comes from this user.
    fn receive(&self) -> io::Result<bool> {
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(
            &self.socket,
            &mut parts,
            &mut ancillary,
            RecvFlags::DONTWAIT,
        )?;
        let own_user = rustix::process::geteuid();
        let mut from_own_user = false;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmCredentials(sender) = message {
                from_own_user = sender.uid == own_user;
            }
        }
        let says_ready = bytes[..received.bytes]
            .split(|&b| b == b'\n')
            .any(|l| l == b"READY=1");
        Ok(from_own_user && says_ready)
    }
}

fn send(message: &[u8]) -> io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the protocol names its socket so"
    )]
    let Some(name) = std::env::var_os(VARIABLE) else {
        return Ok(());
    };
    send_to(name.as_bytes(), message)
}

fn send_to(name: &[u8], message: &[u8]) -> io::Result<()> {
    let address = match name {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address)?;
    Ok(())
}

/// Longer datagrams are cut; ours have some dozen bytes.
const DATAGRAM_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn the_supervisor_hears_ready_and_not_a_status() {
        let (listener, name) = Listener::bind().unwrap();
        send_to(name.as_bytes(), b"STATUS=READY=1 is not said yet").unwrap();
        assert!(!listener.receive().unwrap());
        send_to(name.as_bytes(), b"STATUS=serving\nREADY=1").unwrap();
        timeout(Duration::from_secs(10), listener.ready())
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn each_listener_has_its_own_name() {
        let (first, name) = Listener::bind().unwrap();
        let (second, other) = Listener::bind().unwrap();
        assert_ne!(name, other);
        send_to(other.as_bytes(), b"READY=1").unwrap();
        assert!(second.receive().unwrap());
        let nothing = first.receive().unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn a_socket_with_a_path_is_reached() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send_to(path.as_os_str().as_bytes(), b"READY=1").unwrap();
        let mut bytes = [0; 16];
        let received = socket.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..received], b"READY=1");
    }
}
