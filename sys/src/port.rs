//! Keeps a port of loopback for a process that is yet to bind it: one that is told its port, in
//! the demo and in tests.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// A port that the system gives to nobody else while this lives. Who knows it can listen there,
/// again and again, if with `SO_REUSEADDR`, as the standard library and Ward's servers do.
pub struct KeptPort {
    address: SocketAddr,
    _bound: OwnedFd,
}

impl KeptPort {
    /// Takes one that is free. Nothing listens there: who connects is refused.
    ///
    /// # Errors
    /// The kernel's answer, when loopback has no port left.
    pub fn take() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let bound = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&bound, true)?;
        rustix::net::bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = rustix::net::getsockname(&bound)?.try_into()?;
        Ok(Self {
            address,
            _bound: bound,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_kept_port_can_be_listened_at_again_and_again_and_is_not_given_away() {
        let kept = KeptPort::take().unwrap();
        assert!(TcpStream::connect(kept.address()).is_err());
        for _ in 0..2 {
            let listener = TcpListener::bind(kept.address()).unwrap();
            TcpStream::connect(kept.address()).unwrap();
            listener.accept().unwrap();
            let second = TcpListener::bind(kept.address()).unwrap_err();
            assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        }
        let others: Vec<_> = (0..500).map(|_| KeptPort::take().unwrap()).collect();
        assert!(others.iter().all(|other| other.address() != kept.address()));
    }
}
