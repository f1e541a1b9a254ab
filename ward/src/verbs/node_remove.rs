//! `ward node remove`.

use kms_client::identity::NodeId;
use serde::Serialize;

use super::client;
use crate::cli::{Global, RemoveArguments};
use crate::error::{Failure, Reason};
use crate::node_names::NodeNames;
use crate::output::{Answer, answer};

/// Takes a member out of the cluster.
pub(super) async fn run(global: &Global, which: RemoveArguments) -> Result<(), Failure> {
    let names = NodeNames::load(&global.data_dir)?;
    let node_id = match (which.number, which.member) {
        (Some(number), _) => names.id_of(number)?,
        (None, Some(member)) => member,
        (None, None) => {
            return Err(Failure::new(
                Reason::INVALID_ARGUMENT,
                "name the node by its N, or by --member ID",
            ));
        }
    };
    let voters = client(global)?.remove_node(NodeId(node_id)).await?;
    let removed = Removed {
        id: names.number_of(node_id),
        node_id,
        voters: voters.into_iter().map(|voter| voter.0).collect(),
    };
    answer(global.format(), &removed)
}

/// What was removed and who remains, as shown.
#[derive(Serialize)]
struct Removed {
    /// The N of `node-N`; null for a former self.
    id: Option<u64>,
    /// What the cluster knew it by.
    node_id: u64,
    /// The member ids of the voters that remain.
    voters: Vec<u64>,
}

impl Answer for Removed {
    fn text(&self) -> String {
        let (node_id, voters) = (self.node_id, self.voters.len());
        let whom = match self.id {
            Some(number) => format!("node-{number} (member {node_id})"),
            None => format!("member {node_id}"),
        };
        format!("{whom} was removed; the cluster has {voters} voter(s) now\n")
    }
}
