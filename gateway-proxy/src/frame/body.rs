//! The bodies of the frames: what stands behind each header. Used by `write` and the parser.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::{Control, FLAG_ANSWER, FrameError, Open, kind};
use crate::ids::FlowId;
use crate::limits::{CONTROL_BODY_BYTES_MAX, NAME_BYTES_MAX};

/// Longest reason of a refusal or an abort.
const REASON_BYTES_MAX: usize = 64;

// The largest body is OPEN's: id, two short texts, two IPv6 addresses.
const _: () = assert!(16 + 2 * (1 + NAME_BYTES_MAX) + 2 * 19 <= CONTROL_BODY_BYTES_MAX);
const _: () = assert!(NAME_BYTES_MAX <= u8::MAX as usize);

/// Appends a body and says which type and flags its header has.
pub(super) fn write(control: &Control, out: &mut Vec<u8>) -> (u8, u8) {
    match control {
        Control::Open(open) => {
            write_open(open, out);
            (kind::OPEN, 0)
        }
        Control::OpenOk => (kind::OPEN_OK, 0),
        Control::OpenRejected { reason, retryable } => {
            out.push(u8::from(*retryable));
            write_reason(reason, out);
            (kind::OPEN_REJ, 0)
        }
        Control::Fin { offset } => {
            out.extend_from_slice(&offset.to_be_bytes());
            (kind::FIN, 0)
        }
        Control::Abort { reason } => {
            write_reason(reason, out);
            (kind::ABORT, 0)
        }
        Control::Ack { offset } => {
            out.extend_from_slice(&offset.to_be_bytes());
            (kind::ACK, 0)
        }
        Control::Resume { flow, offset } => {
            out.extend_from_slice(flow.as_bytes());
            out.extend_from_slice(&offset.to_be_bytes());
            (kind::RESUME, 0)
        }
        Control::Ping { token } => {
            out.extend_from_slice(token);
            (kind::PING, 0)
        }
        Control::Pong { token } => {
            out.extend_from_slice(token);
            (kind::PING, FLAG_ANSWER)
        }
        Control::GoAway { deadline_ms } => {
            out.extend_from_slice(&deadline_ms.to_be_bytes());
            (kind::GOAWAY, 0)
        }
        Control::Offer { service } => {
            write_text(service.as_str(), out);
            (kind::OFFER, 0)
        }
    }
}

/// Reads the body of a header that was already checked.
pub(super) fn parse(kind: u8, flags: u8, body: &[u8]) -> Result<Control, FrameError> {
    let mut rest = Reader { rest: body };
    let control = read(kind, flags, &mut rest).filter(|_| rest.rest.is_empty());
    control.ok_or(FrameError::BadBody { kind })
}

fn read(kind: u8, flags: u8, body: &mut Reader<'_>) -> Option<Control> {
    Some(match kind {
        kind::OPEN => Control::Open(read_open(body)?),
        kind::OPEN_OK => Control::OpenOk,
        kind::OPEN_REJ => {
            let retryable = body.flag()?;
            Control::OpenRejected {
                reason: body.reason()?,
                retryable,
            }
        }
        kind::FIN => Control::Fin {
            offset: body.number()?,
        },
        kind::ABORT => Control::Abort {
            reason: body.reason()?,
        },
        kind::ACK => Control::Ack {
            offset: body.number()?,
        },
        kind::RESUME => {
            let flow = FlowId::from_bytes(body.array()?);
            Control::Resume {
                flow,
                offset: body.number()?,
            }
        }
        kind::PING if flags & FLAG_ANSWER != 0 => Control::Pong {
            token: body.array()?,
        },
        kind::PING => Control::Ping {
            token: body.array()?,
        },
        kind::GOAWAY => Control::GoAway {
            deadline_ms: u32::from_be_bytes(body.array()?),
        },
        kind::OFFER => Control::Offer {
            service: body.parsed()?,
        },
        _ => return None,
    })
}

fn write_open(open: &Open, out: &mut Vec<u8>) {
    out.extend_from_slice(open.flow.as_bytes());
    write_text(open.service.as_str(), out);
    write_text(open.protocol.as_str(), out);
    write_address(open.source, out);
    write_address(open.destination, out);
}

fn read_open(body: &mut Reader<'_>) -> Option<Open> {
    Some(Open {
        flow: FlowId::from_bytes(body.array()?),
        service: body.parsed()?,
        protocol: body.parsed()?,
        source: body.address()?,
        destination: body.address()?,
    })
}

/// A family (0 none, 4, 6), the address, the port.
fn write_address(address: Option<SocketAddr>, out: &mut Vec<u8>) {
    let Some(address) = address else {
        return out.push(0);
    };
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).expect("names are at most NAME_BYTES_MAX long"));
    out.extend_from_slice(text.as_bytes());
}

/// Reasons are our own short words; whatever else comes here is cut to what a reason may be.
fn write_reason(reason: &str, out: &mut Vec<u8>) {
    let clean: String = reason
        .chars()
        .filter(|&letter| is_reason(letter))
        .take(REASON_BYTES_MAX)
        .collect();
    write_text(&clean, out);
}

fn is_reason(letter: char) -> bool {
    letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.array()?))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let [length] = self.array()?;
        std::str::from_utf8(self.bytes(length.into())?).ok()
    }

    fn reason(&mut self) -> Option<String> {
        let text = self.text()?;
        let fits = text.len() <= REASON_BYTES_MAX && text.chars().all(is_reason);
        fits.then(|| text.to_owned())
    }

    fn parsed<T: FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }

    fn address(&mut self) -> Option<Option<SocketAddr>> {
        let ip = match self.array()? {
            [0] => return Some(None),
            [4] => IpAddr::from(self.array::<4>()?),
            [6] => IpAddr::from(self.array::<16>()?),
            _ => return None,
        };
        Some(Some(SocketAddr::new(ip, u16::from_be_bytes(self.array()?))))
    }
}
