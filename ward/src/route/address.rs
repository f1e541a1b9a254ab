//! `host:port` or `[v6]:port`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A host, by number or by name, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HostPort {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(String),
}

impl HostPort {
    /// The port; 0 only where the caller allows it.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest
                    .split_once("]:")
                    .ok_or_else(|| format!("`{text}` is not of the form [v6]:port"))?;
                let number = host
                    .parse()
                    .map_err(|_| format!("`{host}` in brackets is not an IPv6 address"))?;
                (Host::V6(number), port)
            }
            None => {
                let (host, port) = text
                    .rsplit_once(':')
                    .ok_or_else(|| format!("`{text}` is not of the form host:port"))?;
                (parse_host(host)?, port)
            }
        };
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port.parse() {
            Ok(port) if digits => port,
            Ok(_) | Err(_) => return Err(format!("`{port}` is not a port, 1 to 65535")),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::V4(number) => write!(out, "{number}:{}", self.port),
            Host::V6(number) => write!(out, "[{number}]:{}", self.port),
            Host::Name(name) => write!(out, "{name}:{}", self.port),
        }
    }
}

fn parse_host(host: &str) -> Result<Host, String> {
    if host.contains(':') {
        return Err(format!("write the IPv6 address in brackets: [{host}]"));
    }
    if let Ok(number) = host.parse() {
        return Ok(Host::V4(number));
    }
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(allowed)
    };
    let numbers_only = host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if host.len() > NAME_BYTES_MAX || numbers_only || !host.split('.').all(label) {
        return Err(format!("`{host}` is neither an IP address nor a host name"));
    }
    Ok(Host::Name(host.to_owned()))
}

/// RFC 1035, section 2.3.4.
const NAME_BYTES_MAX: usize = 253;
/// RFC 1035, section 2.3.4.
const LABEL_BYTES_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_back() {
        for text in ["127.0.0.1:1", "[::1]:65535", "a-b.c_d:80", "localhost:0"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            ":1",
            "a",
            "a:",
            "a:+1",
            "a:65536",
            "::1:1",
            "[::1]",
            "[::1]1",
            "[127.0.0.1]:1",
            "256.0.0.1:1",
            "1.2.3:1",
            "a..b:1",
            "a b:1",
            "a=b:1",
            "é:1",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text:?}");
        }
    }
}
