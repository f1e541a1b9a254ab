//! Quotas: how much identities may use keys.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ward_proto::admin::v1 as admin;

use super::malformed_answer;
use crate::error::Error;
use crate::identity::Role;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaClass {
    /// What is opened: decrypted, unwrapped, or moved to another key.
    Opens,
    /// Data keys that are made.
    Makes,
    /// All uses of keys, those too.
    Uses,
}

impl QuotaClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Opens, Self::Makes, Self::Uses];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Makes => "makes",
            Self::Uses => "uses",
        }
    }
}

impl fmt::Display for QuotaClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for QuotaClass {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|class| class.as_str() == word)
            .ok_or("opens, makes or uses can be counted")
    }
}

/// So much, in any time of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuotaLimit {
    /// What is counted.
    pub class: QuotaClass,
    /// At most so many, by the whole cluster.
    pub amount: u32,
    /// In any time of this length: whole seconds, at most a day.
    pub window: Duration,
}

/// The quota of one identity, or of all of a role that have none of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Application or operator.
    pub role: Role,
    /// Whose; none for the role.
    pub id: Option<String>,
    /// All of them hold.
    pub limits: Vec<QuotaLimit>,
    /// 1 for a new one, one more with each replacement.
    pub revision: u64,
}

/// All quotas of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// By role and id; that of a whole role first.
    pub quotas: Vec<Quota>,
    /// How many nodes share each limit: each serves its part.
    pub nodes: u32,
}

impl From<&QuotaLimit> for admin::QuotaLimit {
    fn from(limit: &QuotaLimit) -> Self {
        let class = match limit.class {
            QuotaClass::Opens => admin::QuotaClass::Opens,
            QuotaClass::Makes => admin::QuotaClass::Makes,
            QuotaClass::Uses => admin::QuotaClass::Uses,
        };
        Self {
            class: class.into(),
            amount: limit.amount,
            // Beyond what can be said is beyond what is allowed.
            window_s: u32::try_from(limit.window.as_secs()).unwrap_or(u32::MAX),
        }
    }
}

impl TryFrom<&admin::QuotaLimit> for QuotaLimit {
    type Error = Error;

    fn try_from(limit: &admin::QuotaLimit) -> Result<Self, Error> {
        let class = match limit.class() {
            admin::QuotaClass::Opens => QuotaClass::Opens,
            admin::QuotaClass::Makes => QuotaClass::Makes,
            admin::QuotaClass::Uses => QuotaClass::Uses,
            admin::QuotaClass::Unspecified => return Err(malformed_answer("class of a quota")),
        };
        Ok(Self {
            class,
            amount: limit.amount,
            window: Duration::from_secs(limit.window_s.into()),
        })
    }
}

impl TryFrom<admin::Quota> for Quota {
    type Error = Error;

    fn try_from(quota: admin::Quota) -> Result<Self, Error> {
        let role = quota.role.parse();
        let limits = quota.limits.iter().map(QuotaLimit::try_from);
        Ok(Self {
            role: role.map_err(|_| malformed_answer("role of a quota"))?,
            id: Some(quota.id).filter(|id| !id.is_empty()),
            limits: limits.collect::<Result<_, _>>()?,
            revision: quota.revision,
        })
    }
}
