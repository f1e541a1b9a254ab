//! `ward quota …`.

use std::time::Duration;

use kms_client::model::{Quota, QuotaLimit, Quotas};
use serde::Serialize;

use super::client;
use crate::cli::{Global, QuotaVerb, Whose, written};
use crate::error::Failure;
use crate::output::{Answer, answer};
use crate::text::Table;

/// Does what was typed after `ward quota`.
pub(super) async fn run(global: &Global, verb: QuotaVerb) -> Result<(), Failure> {
    let client = client(global)?;
    match verb {
        QuotaVerb::Put(arguments) => {
            let Whose { role, id } = arguments.whose.whose;
            let limits: Vec<_> = arguments.limit.into_iter().map(|limit| limit.0).collect();
            let quota = client.put_quota(role, id.as_deref(), &limits).await?;
            answer(global.format(), &QuotaView::from(quota))
        }
        QuotaVerb::List => {
            let quotas = client.list_quotas().await?;
            answer(global.format(), &QuotaList::from(quotas))
        }
        QuotaVerb::Delete(arguments) => {
            let Whose { role, id } = arguments.whose;
            client.delete_quota(role, id.as_deref()).await?;
            let whose = whose(role.as_str(), id.as_deref());
            answer(global.format(), &DeletedView { whose })
        }
    }
}

/// A quota, as shown.
#[derive(Serialize)]
struct QuotaView {
    whose: String,
    revision: u64,
    limits: Vec<LimitView>,
}

/// A limit, as shown.
#[derive(Serialize)]
struct LimitView {
    class: &'static str,
    amount: u32,
    window_s: u64,
}

/// Quotas, as shown.
#[derive(Serialize)]
struct QuotaList {
    quotas: Vec<QuotaView>,
    nodes: u32,
}

/// What is no more.
#[derive(Serialize)]
struct DeletedView {
    whose: String,
}

fn whose(role: &str, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{role}:{id}"),
        None => role.to_owned(),
    }
}

impl From<Quota> for QuotaView {
    fn from(quota: Quota) -> Self {
        Self {
            whose: whose(quota.role.as_str(), quota.id.as_deref()),
            revision: quota.revision,
            limits: quota.limits.iter().map(LimitView::from).collect(),
        }
    }
}

impl From<&QuotaLimit> for LimitView {
    fn from(limit: &QuotaLimit) -> Self {
        Self {
            class: limit.class.as_str(),
            amount: limit.amount,
            window_s: limit.window.as_secs(),
        }
    }
}

impl From<Quotas> for QuotaList {
    fn from(quotas: Quotas) -> Self {
        Self {
            quotas: quotas.quotas.into_iter().map(QuotaView::from).collect(),
            nodes: quotas.nodes,
        }
    }
}

impl LimitView {
    /// As it is typed.
    fn text(&self) -> String {
        let window = Duration::from_secs(self.window_s);
        format!("{}={}/{}", self.class, self.amount, written(window, "dhm"))
    }
}

impl QuotaView {
    fn limits(&self) -> String {
        let limits: Vec<_> = self.limits.iter().map(LimitView::text).collect();
        limits.join(" ")
    }
}

impl Answer for QuotaView {
    fn text(&self) -> String {
        let (whose, revision) = (&self.whose, self.revision);
        format!(
            "quota of {whose} is {}, revision {revision}\n",
            self.limits()
        )
    }
}

impl Answer for QuotaList {
    fn text(&self) -> String {
        let mut table = Table::new(&["WHOSE", "LIMITS", "REVISION"]);
        for quota in &self.quotas {
            table.row([
                quota.whose.clone(),
                quota.limits(),
                quota.revision.to_string(),
            ]);
        }
        table.text()
    }
}

impl Answer for DeletedView {
    fn text(&self) -> String {
        format!("quota of {} is taken away\n", self.whose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_shown_as_it_is_typed() {
        for (window_s, expected) in [
            (1, "opens=5/1s"),
            (90, "opens=5/90s"),
            (300, "opens=5/5m"),
            (7_200, "opens=5/2h"),
            (86_400, "opens=5/1d"),
        ] {
            let limit = LimitView {
                class: "opens",
                amount: 5,
                window_s,
            };
            assert_eq!(limit.text(), expected);
        }
    }
}
