//! Ports of the loopback address, chosen by the system.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::error::Failure;

/// Chooses `count` different ports that nobody holds now. Somebody may take one before its
/// process binds it; then the process says so and another one is chosen.
pub(crate) fn choose(count: u64) -> Result<Vec<u16>, Failure> {
    // All are held until the last is chosen, so that none comes twice.
    let mut held = Vec::new();
    for _ in 0..count {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        held.push(listener.map_err(|error| Failure::io("no free port", &error))?);
    }
    held.iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect::<std::io::Result<_>>()
        .map_err(|error| Failure::io("no free port", &error))
}

/// Whether `port` of the loopback address can be bound now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The loopback address with `port`.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn chosen_ports_are_different_and_free() {
        let ports = choose(20).unwrap();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 20);
    }

    #[test]
    fn a_taken_port_is_not_free() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(holder.local_addr().unwrap().port()));
    }
}
