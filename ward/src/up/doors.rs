//! The addresses the devices connect to. They are the user's: never replaced, checked first.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use crate::error::{Failure, Reason};
use crate::route::Route;

/// A route and the number behind its LISTEN.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// As it was typed.
    pub(crate) route: Route,
    /// What is bound.
    pub(crate) listen: SocketAddr,
}

impl Door {
    /// Looks the name in LISTEN up, where it is one.
    pub(crate) fn find(route: Route) -> Result<Self, Failure> {
        let found = route.listen.to_string().to_socket_addrs();
        match found.map(|mut addresses| addresses.next()) {
            Ok(Some(listen)) => Ok(Self { route, listen }),
            Ok(None) | Err(_) => Err(Failure::new(
                Reason::INVALID_ARGUMENT,
                format!(
                    "route {route}: the name in LISTEN is not known here; write an address of this machine"
                ),
            )),
        }
    }

    /// Checks that the address can be bound now.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Err(error) = TcpListener::bind(self.listen) else {
            return Ok(());
        };
        let route = &self.route;
        let listen = self.listen;
        let told = |reason, sentence| Err(Failure::new(reason, sentence));
        if error.kind() == io::ErrorKind::AddrInUse {
            let sentence = format!(
                "route {route}: {listen} is in use by another program; \
                 stop it (see `ss -ltnp`), or choose another LISTEN"
            );
            return told(Reason::PORT_IN_USE, sentence);
        }
        if error.kind() == io::ErrorKind::AddrNotAvailable {
            let sentence =
                format!("route {route}: {listen} is no address of this machine; see `ip address`");
            return told(Reason::INVALID_ARGUMENT, sentence);
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            let sentence = format!(
                "route {route}: binding {listen} is not permitted; \
                 ports below 1024 need CAP_NET_BIND_SERVICE"
            );
            return told(Reason::INVALID_ARGUMENT, sentence);
        }
        let what = format!("route {route}: cannot bind {listen}");
        Err(Failure::io(what, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(listen: &str) -> Result<Door, Failure> {
        Door::find(format!("m:tcp@{listen}=192.0.2.1:1").parse().unwrap())
    }

    #[test]
    fn a_taken_port_is_refused_with_the_route() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap().to_string();
        let failure = door(&address).unwrap().check().unwrap_err();
        assert_eq!(failure.reason(), &Reason::PORT_IN_USE);
        let route = format!("m:tcp@{address}=192.0.2.1:1");
        assert!(failure.to_string().contains(&route), "{failure}");
        drop(holder);
        door(&address).unwrap().check().unwrap();
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let failure = door("192.0.2.7:2575").unwrap().check().unwrap_err();
        assert_eq!(failure.reason(), &Reason::INVALID_ARGUMENT);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let failure = door("no-such-host.invalid:2575").unwrap_err();
        assert_eq!(failure.reason(), &Reason::INVALID_ARGUMENT);
    }
}
