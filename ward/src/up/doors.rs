//! The addresses that devices connect to, and servers on their way to devices. They are the user's:
//! never replaced, checked first.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use gateway_proxy::socket::listen_for_legs;

use crate::error::{Failure, Reason};
use crate::route::Route;

/// Which way the connections of a route are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the device, to the edge.
    ToService,
    /// By a server, to the core.
    ToDevice,
}

/// A route and the number behind its LISTEN.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// As it was typed.
    pub(crate) route: Route,
    /// What is bound.
    pub(crate) listen: SocketAddr,
    /// Who connects there.
    pub(crate) way: Way,
}

impl Door {
    /// Looks the name in LISTEN up, where it is one.
    pub(crate) fn find(route: Route, way: Way) -> Result<Self, Failure> {
        let found = route.listen.to_string().to_socket_addrs();
        match found.map(|mut addresses| addresses.next()) {
            Ok(Some(listen)) => Ok(Self { route, listen, way }),
            Ok(None) | Err(_) => Err(Failure::new(
                Reason::INVALID_ARGUMENT,
                format!(
                    "route {route}: the name in LISTEN is not known here; write an address of this machine"
                ),
            )),
        }
    }

    /// Binds the address as its gateway will.
    fn bind(&self) -> Result<TcpListener, Failure> {
        listen_for_legs(self.listen).map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &io::Error) -> Failure {
        let route = &self.route;
        let listen = self.listen;
        if error.kind() == io::ErrorKind::AddrInUse {
            let sentence = format!(
                "route {route}: {listen} is in use by another program; \
                 stop it (see `ss -ltnp`), or choose another LISTEN"
            );
            return Failure::new(Reason::PORT_IN_USE, sentence);
        }
        if error.kind() == io::ErrorKind::AddrNotAvailable {
            let sentence =
                format!("route {route}: {listen} is no address of this machine; see `ip address`");
            return Failure::new(Reason::INVALID_ARGUMENT, sentence);
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            let sentence = format!(
                "route {route}: binding {listen} is not permitted; \
                 ports below 1024 need CAP_NET_BIND_SERVICE"
            );
            return Failure::new(Reason::INVALID_ARGUMENT, sentence);
        }
        let what = format!("route {route}: cannot bind {listen}");
        Failure::io(what, error)
    }

    /// Whether both want the same port of some address. The edge's listeners are of one family
    /// each, so 0.0.0.0 covers no address of IPv6.
    fn overlaps(&self, other: &Self) -> bool {
        let (one, two) = (self.listen.ip(), other.listen.ip());
        let covers = one == two || one.is_unspecified() || two.is_unspecified();
        self.listen.port() == other.listen.port() && one.is_ipv4() == two.is_ipv4() && covers
    }
}

/// Checks that all addresses can be bound now, together.
pub(crate) fn check(doors: &[Door]) -> Result<(), Failure> {
    for (at, door) in doors.iter().enumerate() {
        let Some(earlier) = doors[..at].iter().find(|earlier| door.overlaps(earlier)) else {
            continue;
        };
        let sentence = format!(
            "the routes {} and {} want the same port ({} and {}): choose another LISTEN for one",
            earlier.route, door.route, earlier.listen, door.listen
        );
        return Err(Failure::new(Reason::PORT_IN_USE, sentence));
    }
    // All are held until the last one is bound, as the gateways will hold them.
    let held = doors
        .iter()
        .map(Door::bind)
        .collect::<Result<Vec<_>, _>>()?;
    drop(held);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(listen: &str) -> Result<Door, Failure> {
        let route = format!("m:tcp@{listen}=192.0.2.1:1");
        Door::find(route.parse().unwrap(), Way::ToService)
    }

    #[test]
    fn a_taken_port_is_refused_with_the_route() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap().to_string();
        let failure = check(&[door(&address).unwrap()]).unwrap_err();
        assert_eq!(failure.reason(), &Reason::PORT_IN_USE);
        let route = format!("m:tcp@{address}=192.0.2.1:1");
        assert!(failure.to_string().contains(&route), "{failure}");
        drop(holder);
        check(&[door(&address).unwrap()]).unwrap();
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let failure = check(&[door("192.0.2.7:2575").unwrap()]).unwrap_err();
        assert_eq!(failure.reason(), &Reason::INVALID_ARGUMENT);
    }

    #[test]
    fn overlapping_routes_are_refused_by_name() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let both = |one: &str, two: &str| {
            let at = |ip: &str| door(&format!("{ip}:{port}")).unwrap();
            check(&[at(one), at(two)])
        };
        for (one, two) in [
            ("0.0.0.0", "127.0.0.1"),
            ("127.0.0.1", "0.0.0.0"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::]", "[::1]"),
        ] {
            let failure = both(one, two).unwrap_err();
            assert_eq!(failure.reason(), &Reason::PORT_IN_USE);
            for ip in [one, two] {
                let route = format!("m:tcp@{ip}:{port}=192.0.2.1:1");
                assert!(failure.to_string().contains(&route), "{failure}");
            }
        }
        both("127.0.0.1", "127.0.0.2").unwrap();
        both("0.0.0.0", "[::1]").unwrap();
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let failure = door("no-such-host.invalid:2575").unwrap_err();
        assert_eq!(failure.reason(), &Reason::INVALID_ARGUMENT);
    }
}
