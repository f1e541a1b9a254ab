//! Binds a listener exclusively; called once for each at the node's start.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::config::HostPort;
use crate::limits::LISTEN_BACKLOG;
use crate::node::NodeError;

/// A bound port, not yet served.
pub(crate) struct Bound {
    /// What accepts.
    pub(crate) listener: TcpListener,
    /// What was asked for, with the port that the system gave.
    pub(crate) address: HostPort,
}

/// Binds `address` for the listener called `name`.
///
/// # Errors
/// `PortInUse` when another process holds it, `Bind` for any other cause.
pub(crate) fn bind(name: &'static str, address: &HostPort) -> Result<Bound, NodeError> {
    let failed = |source: io::Error| {
        let (listener, address) = (name, address.clone());
        if source.kind() == io::ErrorKind::AddrInUse {
            return NodeError::PortInUse { listener, address };
        }
        NodeError::Bind {
            listener,
            address,
            source,
        }
    };
    let resolved = resolve(address).map_err(failed)?;
    let listener = open(resolved).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok(Bound {
        listener,
        address: address.with_port(port),
    })
}

fn resolve(address: &HostPort) -> io::Result<SocketAddr> {
    address
        .as_str()
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address"))
}

/// `SO_REUSEADDR` lets a restarted node take its port back from connections in TIME_WAIT; on
/// Linux it never lets two listeners share a port. `SO_REUSEPORT` would, and stays off.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG.cast_signed())?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_as_such() {
        let first = bind("api", &"127.0.0.1:0".parse().unwrap()).unwrap();
        let second = bind("api", &first.address);
        assert!(matches!(
            second,
            Err(NodeError::PortInUse {
                listener: "api",
                ..
            })
        ));
    }

    #[tokio::test]
    async fn a_foreign_address_is_not_called_a_taken_port() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
        let bound = bind("join", &"192.0.2.1:0".parse().unwrap());
        assert!(matches!(
            bound,
            Err(NodeError::Bind {
                listener: "join",
                ..
            })
        ));
    }
}
