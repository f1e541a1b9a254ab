//! Brings nodes, gateways and devices into a cluster that runs.
//!
//! Each step leaves a trace before it uses up a join token, and looks for it first: a start that
//! was killed half-way goes on where it stopped, with the same keys and the same node ids.

use kms_client::identity::{IdentityDir, NodeId, Role};
use kms_client::model::{Inventory, NewDevice};
use kms_client::reason::Reason as KmsReason;
use kms_client::{Client, JoinToken, join};
use kms_server::JoinOptions;
use zeroize::Zeroizing;

use super::board::Board;
use super::layout::{Layout, ProcessName, make_private};
use super::plan::Plan;
use super::ports::local;
use super::settings;
use crate::error::{Failure, Reason};

/// What a node is to its cluster, as a start finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has joined.
    Member,
    /// It has yet to join, perhaps again.
    Newcomer,
    /// It was removed, and its directory is still there.
    Removed,
}

/// What `node-{number}` is. What its own directory says counts: a start may have been killed
/// between the join and the record of it.
pub(crate) fn standing(plan: &Plan, number: u64) -> Result<Standing, Failure> {
    match kms_server::node::given(&plan.layout().home(ProcessName::Node(number))) {
        Ok(Some(given)) => {
            plan.set_node_id(number, given.node_id)?;
            Ok(if given.removed {
                Standing::Removed
            } else {
                Standing::Member
            })
        }
        Ok(None) => Ok(Standing::Newcomer),
        // It was one. Its own process says what is wrong, and the others may do without it.
        Err(_) => Ok(Standing::Member),
    }
}

/// Joins `node-{number}`. A node whose directory was lost gets an id that nobody had before; its
/// former self is removed by the cluster, once this one votes.
pub(crate) async fn node(
    plan: &Plan,
    board: &Board,
    client: &Client,
    number: u64,
) -> Result<(), Failure> {
    let name = ProcessName::Node(number);
    plan.prepare(name)?;
    let layout = plan.layout();
    let former = former(plan, client, number).await?;
    let config =
        kms_server::Config::load(&layout.config(name)).map_err(kms_server::NodeError::from)?;
    let joined = kms_server::join(JoinOptions {
        config,
        endpoint: join_address(plan, board)?,
        token: token(layout, client, name, former).await?,
    })
    .await
    .map_err(|error| Failure::from(error).of(name))?;
    plan.set_node_id(number, joined.node_id)?;
    forget_token(layout, name)
}

/// The member that `node-{number}` was, if it still counts as one: its directory is gone and with
/// it its key, and whatever runs there was started by this very program, which holds the lock.
async fn former(plan: &Plan, client: &Client, number: u64) -> Result<Option<NodeId>, Failure> {
    let cluster = plan.cluster();
    // An id planned for it that another node was given since is not its own.
    let own = cluster.node(number).map(|node| node.id);
    let Some(own) = own.filter(|id| cluster.number_of(*id) == Some(number)) else {
        return Ok(None);
    };
    let members = client.cluster_status().await?.nodes;
    let mut ids = members.iter().map(|member| member.id);
    Ok(ids.find(|member| member.0 == own))
}

/// Gives a gateway its identity, and a fresh certificate when that is due.
pub(crate) async fn gateway(
    plan: &Plan,
    board: &Board,
    client: &Client,
    name: ProcessName,
) -> Result<(), Failure> {
    let layout = plan.layout();
    let identity = IdentityDir::new(layout.identity(name));
    make_private(identity.path())?;
    if !identity.has_certificate() {
        let csr = identity.create_csr()?;
        let token = JoinToken::decode(&token(layout, client, name, None).await?)
            .map_err(|error| Failure::told("TOKEN_INVALID", &error))?;
        let joined = join::join(&join_address(plan, board)?, &token, &csr, None).await?;
        identity.store_certificate(&joined.certificate, &joined.ca)?;
        forget_token(layout, name)?;
    }
    settings::write_endpoints(layout, &plan.cluster())?;
    // It renews itself while it runs; after days of standing still it would come too late.
    renew_if_due(&Client::open(identity.path())?).await
}

/// Renews a certificate of which most of the life is over.
pub(crate) async fn renew_if_due(client: &Client) -> Result<(), Failure> {
    if client.is_renewal_due() {
        client.renew_certificate().await?;
    }
    Ok(())
}

/// Enrols the devices of the routes; one that is enrolled already stays as it is.
pub(crate) async fn devices(plan: &Plan, client: &Client) -> Result<(), Failure> {
    let mut devices: Vec<_> = plan.doors().iter().map(|door| &door.route.device).collect();
    devices.sort();
    devices.dedup();
    for device in devices {
        let device = NewDevice {
            id: device.to_string(),
            inventory: Inventory::default(),
            gateway: Some(ProcessName::Edge.to_string()),
            offline_allowance: None,
        };
        match client.enroll_device(&device).await {
            Err(error) if error.reason() == KmsReason::DeviceExists => {}
            enrolled => drop(enrolled?),
        }
    }
    Ok(())
}

/// The token of a join, new or from a start that was stopped before it was used up.
async fn token(
    layout: &Layout,
    client: &Client,
    name: ProcessName,
    former: Option<NodeId>,
) -> Result<Zeroizing<String>, Failure> {
    let path = layout.join_token(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => return Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Failure::io(
                format!("cannot read {}", path.display()),
                &error,
            ));
        }
    }
    let (role, id) = match name {
        ProcessName::Node(_) => (Role::Node, None),
        ProcessName::Edge | ProcessName::Core => (Role::Gateway, Some(name.to_string())),
    };
    let created = match former {
        Some(former) => client.create_replacement_token(former, TOKEN_LIFE).await?,
        None => {
            client
                .create_join_token(role, id.as_deref(), TOKEN_LIFE)
                .await?
        }
    };
    let text = created
        .token
        .encode()
        .map_err(|error| Failure::told("INTERNAL", &error))?;
    sys::file::write_atomic(&path, text.as_bytes(), 0o600)
        .map_err(|error| Failure::io("the join token", &error))?;
    Ok(text)
}

fn forget_token(layout: &Layout, name: ProcessName) -> Result<(), Failure> {
    std::fs::remove_file(layout.join_token(name))
        .map_err(|error| Failure::io("cannot remove the used join token", &error))
}

/// The join listener of any member that serves.
fn join_address(plan: &Plan, board: &Board) -> Result<String, Failure> {
    let cluster = plan.cluster();
    let names: Vec<_> = cluster.node_names().collect();
    let away = board.missing(&names);
    let serving = names.iter().zip(&cluster.nodes);
    let mut serving = serving.filter(|(name, _)| !away.contains(name));
    let Some((_, node)) = serving.next() else {
        return Err(Failure::new(Reason::UNAVAILABLE, "no node serves yet"));
    };
    Ok(local(node.join).to_string())
}

/// A killed start may be taken up again within this time.
const TOKEN_LIFE: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
