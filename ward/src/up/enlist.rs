//! Brings nodes, gateways and devices into a cluster that runs.
//!
//! Each step leaves a trace before it uses up a join token, and looks for it first: a start that
//! was killed half-way goes on where it stopped, with the same keys and the same node ids.

use kms_client::identity::{IdentityDir, Role};
use kms_client::model::{Inventory, NewDevice};
use kms_client::reason::Reason as KmsReason;
use kms_client::{Client, JoinToken, join};
use kms_server::JoinOptions;
use zeroize::Zeroizing;

use super::layout::{Layout, ProcessName, make_private};
use super::plan::Plan;
use super::ports::local;
use super::settings;
use crate::error::{Failure, Reason};

/// Whether `node` has an identity of its own.
pub(crate) fn has_joined(layout: &Layout, node: ProcessName) -> bool {
    layout.home(node).join("identity.toml").exists()
}

/// Joins one more node.
pub(crate) async fn node(plan: &Plan, client: &Client, id: u64) -> Result<(), Failure> {
    let name = ProcessName::Node(id);
    plan.prepare(name)?;
    let layout = plan.layout();
    let config =
        kms_server::Config::load(&layout.config(name)).map_err(kms_server::NodeError::from)?;
    let joined = kms_server::join(JoinOptions {
        config,
        endpoint: join_address(plan),
        token: token(layout, client, name).await?,
    })
    .await
    .map_err(|error| Failure::from(error).of(name))?;
    if joined.node_id != id {
        let sentence = format!(
            "{name} was given the id {}: an earlier start was stopped too early; \
             remove {} and start again",
            joined.node_id,
            layout.root().display()
        );
        return Err(Failure::new(Reason::NO_CLUSTER, sentence));
    }
    forget_token(layout, name)
}

/// Gives a gateway its identity, and a fresh certificate when that is due.
pub(crate) async fn gateway(
    plan: &Plan,
    client: &Client,
    name: ProcessName,
) -> Result<(), Failure> {
    let layout = plan.layout();
    let identity = IdentityDir::new(layout.identity(name));
    make_private(identity.path())?;
    if !identity.has_certificate() {
        let csr = identity.create_csr()?;
        let token = JoinToken::decode(&token(layout, client, name).await?)
            .map_err(|error| Failure::told("TOKEN_INVALID", &error))?;
        let joined = join::join(&join_address(plan), &token, &csr, None).await?;
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
    let created = client
        .create_join_token(role, id.as_deref(), TOKEN_LIFE)
        .await?;
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

/// The join listener of the first node: it runs whenever something is enlisted.
fn join_address(plan: &Plan) -> String {
    local(plan.cluster().nodes[0].join).to_string()
}

/// A killed start may be taken up again within this time.
const TOKEN_LIFE: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
