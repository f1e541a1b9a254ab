//! `host:port` as people write it, checked once at the edge.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A checked `host:port` or `[v6]:port`. The host is resolved when it is used, not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    text: String,
    port: u16,
}

/// Why an address is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// No colon, or none after the bracket.
    #[error("it has no port: write host:port or [v6]:port")]
    NoPort,
    /// The part after the last colon is not 0 to 65535.
    #[error("its port is not a number from 0 to 65535")]
    BadPort,
    /// Nothing, white space, or a bare v6 address before the port.
    #[error("its host is empty or malformed: write host:port, and v6 addresses in brackets")]
    BadHost,
}

impl HostPort {
    /// The whole text, fit for `ToSocketAddrs`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The port alone; 0 lets the system choose.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same host with another port: what a listener on port 0 was given.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let host = self.text.rsplit_once(':').map_or("", |(host, _)| host);
        Self {
            text: format!("{host}:{port}"),
            port,
        }
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        let port = port.parse().map_err(|_| AddressError::BadPort)?;
        let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        let bare = !host.is_empty() && !host.contains([':', '[', ']']);
        let printable = host.len() <= HOST_BYTES_MAX && host.chars().all(|c| c.is_ascii_graphic());
        if printable && (bracketed || bare) {
            Ok(Self {
                text: text.to_owned(),
                port,
            })
        } else {
            Err(AddressError::BadHost)
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// RFC 1035: a host name has at most 255 octets.
const HOST_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<u16, AddressError>) {
        assert_eq!(
            text.parse::<HostPort>().map(|address| address.port()),
            expected,
            "{text}"
        );
    }

    #[test]
    fn accepts_names_and_both_families() {
        check("127.0.0.1:7101", Ok(7101));
        check("node-1.ward:0", Ok(0));
        check("[::1]:65535", Ok(65535));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        check("127.0.0.1", Err(AddressError::NoPort));
        check("host:", Err(AddressError::BadPort));
        check("host:65536", Err(AddressError::BadPort));
        check(":80", Err(AddressError::BadHost));
        check("::1:80", Err(AddressError::BadHost));
        check("two words:80", Err(AddressError::BadHost));
        check("[]:80", Err(AddressError::BadHost));
    }

    #[test]
    fn replaces_the_port_alone() {
        let address: HostPort = "[::1]:0".parse().unwrap();
        assert_eq!(address.with_port(99).as_str(), "[::1]:99");
    }
}
