//! `ward quota …`.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use kms_client::identity::Role;
use kms_client::model::QuotaLimit;

use super::duration;

/// What to do with quotas.
#[derive(Debug, Subcommand)]
pub(crate) enum QuotaVerb {
    /// Set how much an application or operator may use keys; it counts at once.
    ///
    /// All limits hold at once, and replace what there was; what was used before counts.
    ///
    /// ward quota put app:portal --limit opens=100/s --limit opens=10000/1d
    ///
    /// ward quota put app --limit uses=1000/s         # every application without its own
    Put(PutQuotaArguments),
    /// List the quotas.
    List,
    /// Take a quota away.
    Delete(QuotaArguments),
}

/// Whose, and how much.
#[derive(Args, Debug)]
pub(crate) struct PutQuotaArguments {
    #[command(flatten)]
    pub(crate) whose: QuotaArguments,
    /// CLASS=AMOUNT/TIME, repeatable: `opens` (decrypted, unwrapped), `makes` (data keys) or `uses`
    /// (all uses of keys), at most so many in any s, 10s, 5m, 2h or 1d, by the whole cluster.
    #[arg(long, value_name = "LIMIT", required = true)]
    pub(crate) limit: Vec<Limit>,
}

/// Whose.
#[derive(Args, Debug)]
pub(crate) struct QuotaArguments {
    /// One identity, `app:portal` or `operator:alice`; or all of a role that have no own quota,
    /// `app` or `operator`.
    #[arg(value_name = "ROLE[:ID]")]
    pub(crate) whose: Whose,
}

/// An identity or a role, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    pub(crate) role: Role,
    pub(crate) id: Option<String>,
}

impl FromStr for Whose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, id) = match text.split_once(':') {
            Some((_, "")) => return Err("write it as ROLE:ID, or as ROLE alone".to_owned()),
            Some((role, id)) => (role, Some(id.to_owned())),
            None => (text, None),
        };
        match role.parse().map_err(|error| format!("{error}"))? {
            role @ (Role::App | Role::Operator) => Ok(Self { role, id }),
            Role::Node | Role::Gateway | Role::Device => Err(
                "quotas are for app and operator; nothing may keep gateways from sealing".into(),
            ),
        }
    }
}

/// A limit, as it is typed: `opens=100/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) QuotaLimit);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "write it as CLASS=AMOUNT/TIME, such as opens=100/s".to_owned();
        let (class, rest) = text.split_once('=').ok_or_else(wanted)?;
        let (amount, time) = rest.split_once('/').ok_or_else(wanted)?;
        Ok(Self(QuotaLimit {
            class: class.parse()?,
            amount: amount.parse().map_err(|_| wanted())?,
            window: window(time)?,
        }))
    }
}

/// `s` is `1s`.
fn window(text: &str) -> Result<Duration, &'static str> {
    let whole = match text {
        "s" | "m" | "h" | "d" => format!("1{text}"),
        text => text.to_owned(),
    };
    duration::read(&whole, "smhd", LONGEST)
        .ok_or("write the time as a number and s, m, h or d, such as 10m; at most 1d")
}

/// What the cluster takes at most.
const LONGEST: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use kms_client::model::QuotaClass;

    use super::*;

    #[test]
    fn limits_are_read_and_what_is_none_is_refused() {
        for (text, expected) in [
            ("opens=100/s", (QuotaClass::Opens, 100, 1)),
            ("makes=10000/1d", (QuotaClass::Makes, 10_000, 86_400)),
            ("uses=7/5m", (QuotaClass::Uses, 7, 300)),
        ] {
            let Limit(limit) = text.parse().unwrap();
            let read = (limit.class, limit.amount, limit.window.as_secs());
            assert_eq!(read, expected, "{text}");
        }
        for text in [
            "opens",
            "opens=1",
            "opens=/s",
            "opens=1/",
            "opens=1/2d",
            "opens=1/0s",
            "reads=1/s",
            "opens=-1/s",
            "opens=1/ü",
            "opens=5000000000/s",
        ] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn quotas_are_for_applications_and_operators() {
        let whose: Whose = "app:portal".parse().unwrap();
        assert_eq!(
            (whose.role, whose.id.as_deref()),
            (Role::App, Some("portal"))
        );
        let whose: Whose = "operator".parse().unwrap();
        assert_eq!((whose.role, whose.id), (Role::Operator, None));
        for text in [
            "gateway:edge",
            "device:mon-1",
            "node",
            "app:",
            "nurse:x",
            "",
        ] {
            assert!(text.parse::<Whose>().is_err(), "{text}");
        }
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for line in [
            "ward quota put app:portal",
            "ward quota put gateway:edge --limit opens=1/s",
            "ward quota put app --limit opens",
            "ward quota delete",
        ] {
            let words = line.split_whitespace().map(std::ffi::OsString::from);
            let refused = crate::cli::Cli::read(words).unwrap_err();
            assert_eq!(refused.exit_code(), 2, "{line}");
        }
    }
}
