//! `ward cluster transfer`.

use kms_client::identity::NodeId;
use serde::Serialize;

use super::client;
use crate::cli::{Global, TransferArguments};
use crate::error::Failure;
use crate::node_names::NodeNames;
use crate::output::{Answer, answer};

/// Lets another node lead.
pub(super) async fn run(global: &Global, whom: TransferArguments) -> Result<(), Failure> {
    let names = NodeNames::load(&global.data_dir)?;
    let to = whom.to.map(|number| names.id_of(number)).transpose()?;
    let transfer = client(global)?.transfer_leadership(to.map(NodeId)).await?;
    let leads = Leads {
        leader: names.number_of(transfer.leader.0),
        node_id: transfer.leader.0,
        moved: transfer.moved(),
    };
    answer(global.format(), &leads)
}

/// Who leads now, as shown.
#[derive(Serialize)]
struct Leads {
    /// The N of `node-N`.
    leader: Option<u64>,
    /// What the cluster knows it by.
    node_id: u64,
    /// Whether another one did before.
    moved: bool,
}

impl Answer for Leads {
    fn text(&self) -> String {
        let who = match self.leader {
            Some(number) => format!("node-{number}"),
            None => format!("member {}", self.node_id),
        };
        match self.moved {
            true => format!("{who} leads now\n"),
            false => format!("{who} leads already; nothing has moved\n"),
        }
    }
}
