//! What the kernel knows of a TCP connection that no socket option of a safe crate tells. The
//! gateway asks it whether a peer is dead or only slow.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// How far the peer has taken what was sent to it (`TCP_INFO` of tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Segments were sent that the peer has not acknowledged.
    pub in_flight: bool,
    /// Since the peer's last acknowledgement, of data or of a window probe.
    pub silent_for: Duration,
}

/// Asks the kernel.
///
/// # Errors
/// It is no TCP socket.
pub fn progress(socket: impl AsFd) -> io::Result<Progress> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    #[expect(unsafe_code, reason = "no safe crate reads TCP_INFO")]
    // SAFETY: the descriptor is borrowed for the call; the kernel writes at most `length` bytes
    // into `info`, which is as long.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "no safe crate reads TCP_INFO")]
    // SAFETY: all fields are plain numbers, and what the kernel did not write is zero.
    let info = unsafe { info.assume_init() };
    Ok(Progress {
        in_flight: info.tcpi_unacked > 0,
        silent_for: Duration::from_millis(info.tcpi_last_ack_recv.into()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_peer_that_stalls_still_acknowledges() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_stalled, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        // Until the peer's window and our buffer are full.
        while stream.write(&[7; 1 << 16]).is_ok() {}
        let begun = crate::clock::monotonic();
        let progress = loop {
            let progress = progress(&stream).unwrap();
            if !progress.in_flight {
                break progress;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{progress:?}");
            std::thread::yield_now();
        };
        assert!(
            progress.silent_for < Duration::from_secs(20),
            "{progress:?}"
        );
    }

    #[test]
    fn another_kind_of_socket_is_refused() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(progress(&one).is_err());
    }
}
