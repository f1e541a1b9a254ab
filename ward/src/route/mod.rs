//! A device's way: `DEVICE:PROTOCOL@LISTEN=UPSTREAM`, as typed after `--route`.
//!
//! Parsed by clap into types that cannot be wrong; `up` takes those types inside.

mod address;
mod device;
mod protocol;

use std::fmt;
use std::str::FromStr;

pub(crate) use address::HostPort;
pub(crate) use device::DeviceName;
pub(crate) use protocol::Protocol;

/// One route: the device connects to `listen`, the service behind the core is `upstream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Whose traffic it is.
    pub(crate) device: DeviceName,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// Where the edge listens for the device.
    pub(crate) listen: HostPort,
    /// Where the core connects to, for a flow of the device only.
    pub(crate) upstream: HostPort,
}

impl Route {
    /// What the core calls the service: routes that share protocol and upstream share it.
    pub(crate) fn service(&self) -> String {
        format!("{}@{}", self.protocol, self.upstream)
    }
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = split(text).ok_or_else(|| SHAPE.to_owned())?;
        let listen: HostPort = named("LISTEN", parts.listen)?;
        if listen.port() == 0 {
            return Err("LISTEN needs a port from 1 to 65535, the one the device knows".into());
        }
        let upstream: HostPort = named("UPSTREAM", parts.upstream)?;
        if upstream.port() == 0 {
            return Err("UPSTREAM needs a port from 1 to 65535".into());
        }
        if listen == upstream {
            return Err("LISTEN and UPSTREAM are the same address: the route would loop".into());
        }
        Ok(Self {
            device: parts.device.parse()?,
            protocol: parts.protocol.parse()?,
            listen,
            upstream,
        })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device,
            protocol,
            listen,
            upstream,
        } = self;
        write!(out, "{device}:{protocol}@{listen}={upstream}")
    }
}

const SHAPE: &str = "write it as DEVICE:PROTOCOL@LISTEN=UPSTREAM, \
    such as mon-1:hl7@127.0.0.1:2575=127.0.0.1:6661";

struct Parts<'a> {
    device: &'a str,
    protocol: &'a str,
    listen: &'a str,
    upstream: &'a str,
}

fn split(text: &str) -> Option<Parts<'_>> {
    let (who, addresses) = text.split_once('@')?;
    let (device, protocol) = who.split_once(':')?;
    let (listen, upstream) = addresses.split_once('=')?;
    Some(Parts {
        device,
        protocol,
        listen,
        upstream,
    })
}

fn named(part: &str, text: &str) -> Result<HostPort, String> {
    text.parse().map_err(|error| format!("{part}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_routes_are_read_and_written_back() {
        for (text, service) in [
            (
                "mon-1:hl7@127.0.0.1:2575=127.0.0.1:6661",
                "hl7@127.0.0.1:6661",
            ),
            ("a:tcp@[::1]:80=[fe80::1]:8080", "tcp@[fe80::1]:8080"),
            (
                "pump.7_b:tcp@0.0.0.0:1=lis.example.org:65535",
                "tcp@lis.example.org:65535",
            ),
            ("ct-1:dicom@127.0.0.1:104=pacs:11112", "dicom@pacs:11112"),
            ("x:hl7@localhost:2575=host-2:6661", "hl7@host-2:6661"),
        ] {
            let route: Route = text.parse().unwrap();
            assert_eq!(route.to_string(), text);
            assert_eq!(route.service(), service);
        }
    }

    #[test]
    fn bad_routes_are_refused_with_what_to_write() {
        for (text, said) in [
            ("", "DEVICE:PROTOCOL@LISTEN=UPSTREAM"),
            ("mon-1", "DEVICE:PROTOCOL@LISTEN=UPSTREAM"),
            ("mon-1:hl7", "DEVICE:PROTOCOL@LISTEN=UPSTREAM"),
            ("mon-1:hl7@127.0.0.1:1", "DEVICE:PROTOCOL@LISTEN=UPSTREAM"),
            (
                "hl7@127.0.0.1:1=127.0.0.1:2",
                "DEVICE:PROTOCOL@LISTEN=UPSTREAM",
            ),
            (":hl7@127.0.0.1:1=127.0.0.1:2", "device"),
            ("Mon:hl7@127.0.0.1:1=127.0.0.1:2", "a-z 0-9"),
            ("..:hl7@127.0.0.1:1=127.0.0.1:2", "begin"),
            ("a/b:hl7@127.0.0.1:1=127.0.0.1:2", "a-z 0-9"),
            ("m:mqtt@127.0.0.1:1=127.0.0.1:2", "`mqtt` is not there yet"),
            ("m:HL7@127.0.0.1:1=127.0.0.1:2", "hl7, dicom, tcp"),
            ("m:ftp@127.0.0.1:1=127.0.0.1:2", "hl7, dicom, tcp"),
            ("m:tcp@127.0.0.1=127.0.0.1:2", "LISTEN"),
            ("m:tcp@127.0.0.1:0=127.0.0.1:2", "LISTEN"),
            ("m:tcp@127.0.0.1:1=127.0.0.1:0", "UPSTREAM"),
            ("m:tcp@127.0.0.1:1=127.0.0.1:65536", "UPSTREAM"),
            ("m:tcp@::1:80=127.0.0.1:2", "brackets"),
            ("m:tcp@127.0.0.1:1=127.0.0.1:1", "loop"),
            ("m:tcp@127.0.0.1:1=127.0.0.1:2=127.0.0.1:3", "UPSTREAM"),
        ] {
            let refused = text.parse::<Route>().unwrap_err();
            assert!(refused.contains(said), "{text:?}: {refused}");
        }
    }
}
