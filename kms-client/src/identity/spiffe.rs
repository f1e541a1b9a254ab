//! Who a certificate speaks for: `spiffe://<trust domain>/<role>/<id>` (the SPIFFE standard).

use std::fmt;
use std::str::FromStr;

use envelope::token;

use crate::error::Error;
use crate::reason::Reason;

/// What a caller is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A member of the cluster.
    Node,
    /// A gateway, edge or core.
    Gateway,
    /// A device, spoken for by an edge gateway.
    Device,
    /// An application.
    App,
    /// A person or script that administers the cluster.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: &[Self] = &[
        Self::Node,
        Self::Gateway,
        Self::Device,
        Self::App,
        Self::Operator,
    ];

    /// Tells the number that stands in a join token; devices do not join, their gateways ask for
    /// them.
    #[must_use]
    pub fn code(self) -> Option<u8> {
        match self {
            Self::Node => Some(token::role::NODE),
            Self::Gateway => Some(token::role::GATEWAY),
            Self::Device => None,
            Self::App => Some(token::role::APP),
            Self::Operator => Some(token::role::OPERATOR),
        }
    }

    /// Reads the number that stands in a join token.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        let is_it = |role: &Self| role.code() == Some(code);
        Self::ALL.iter().copied().find(is_it)
    }

    /// Tells the word that stands in a SPIFFE id.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Gateway => "gateway",
            Self::Device => "device",
            Self::App => "app",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .copied()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|role| role.as_str()).collect();
                let message = format!("unknown role; use one of {}", names.join(", "));
                Error::new(Reason::InvalidArgument, message)
            })
    }
}

/// An identity within a trust domain. Its parts are checked: nothing in them needs escaping.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    trust_domain: String,
    role: Role,
    id: String,
}

impl SpiffeId {
    /// The longest trust domain (SPIFFE-ID §2.1).
    pub const TRUST_DOMAIN_BYTES_MAX: usize = 255;
    /// The longest id within a role.
    pub const ID_BYTES_MAX: usize = 64;

    /// Puts an identity together.
    ///
    /// # Errors
    ///
    /// [`Reason::InvalidArgument`] unless the trust domain is 1 to 255 of `a-z 0-9 - . _` and the
    /// id 1 to 64 of the same, not `.` or `..`.
    pub fn new(trust_domain: &str, role: Role, id: &str) -> Result<Self, Error> {
        if !is_name(trust_domain, Self::TRUST_DOMAIN_BYTES_MAX) {
            let message = "a trust domain is 1 to 255 of a-z 0-9 - . _";
            return Err(Error::new(Reason::InvalidArgument, message));
        }
        if !is_name(id, Self::ID_BYTES_MAX) {
            let message = format!("the id of a {role} is 1 to 64 of a-z 0-9 - . _");
            return Err(Error::new(Reason::InvalidArgument, message));
        }
        Ok(Self {
            trust_domain: trust_domain.into(),
            role,
            id: id.into(),
        })
    }

    /// The cluster's name.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// What it is to the cluster.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Which one of its role.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spiffe://{}/{}/{}",
            self.trust_domain, self.role, self.id
        )
    }
}

impl FromStr for SpiffeId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || {
            let message = "not an identity of Ward; it reads spiffe://<trust domain>/<role>/<id>";
            Error::new(Reason::InvalidArgument, message)
        };
        let path = text.strip_prefix("spiffe://").ok_or_else(malformed)?;
        let mut parts = path.split('/');
        let (Some(domain), Some(role), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        Self::new(domain, role.parse()?, id)
    }
}

fn is_name(text: &str, bytes_max: usize) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    (1..=bytes_max).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.bytes().all(|b| b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_as_it_was_written() {
        for role in Role::ALL {
            let id = SpiffeId::new("ward-0a1b.example", *role, "mon-1").unwrap();
            assert_eq!(
                id.to_string(),
                format!("spiffe://ward-0a1b.example/{role}/mon-1")
            );
            assert_eq!(id.to_string().parse::<SpiffeId>().unwrap(), id);
            let read = role.code().and_then(Role::from_code);
            assert_eq!(read, (*role != Role::Device).then_some(*role));
        }
    }

    #[test]
    fn unknown_role_numbers_are_none() {
        assert_eq!(Role::from_code(0), None);
        assert_eq!(Role::from_code(6), None);
    }

    #[test]
    fn what_is_not_exactly_an_identity_is_refused() {
        let long = format!("spiffe://d/app/{}", "x".repeat(65));
        for text in [
            "",
            "spiffe://",
            "spiffe://d",
            "spiffe://d/app",
            "spiffe://d/app/",
            "spiffe:///app/x",
            "spiffe://d/app/x/y",
            "spiffe://d/root/x",
            "spiffe://d/App/x",
            "spiffe://D/app/x",
            "spiffe://d/app/..",
            "spiffe://d/app/a%2fb",
            "SPIFFE://d/app/x",
            "https://d/app/x",
            long.as_str(),
        ] {
            assert!(text.parse::<SpiffeId>().is_err(), "{text}");
        }
    }
}
