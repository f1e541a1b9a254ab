//! `ward token create`: an invitation, and the command that whoever is invited types.

use kms_client::Client;
use kms_client::identity::Role;
use serde::Serialize;

use super::client;
use crate::cli::{Global, Guest, TokenArguments};
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer};
use crate::text::time;

/// Makes the token and shows it, once.
pub(super) async fn create(global: &Global, arguments: TokenArguments) -> Result<(), Failure> {
    let role = arguments.role.role();
    check_id(role, arguments.id.as_deref())?;
    let client = client(global)?;
    let endpoint = join_endpoint(&client).await?;
    let created = client
        .create_join_token(role, arguments.id.as_deref(), arguments.ttl)
        .await?;
    let token = created.token.encode();
    let token = token.map_err(|error| Failure::told("INTERNAL", &error))?;
    let view = TokenView {
        role: arguments.role.word(),
        guest: arguments.role,
        id: arguments.id,
        endpoint,
        ca_sha256: hex::encode(created.token.ca_spki_sha256),
        token: &token,
        expires: time(created.expires_ms),
    };
    answer(global.format(), &view)
}

fn check_id(role: Role, id: Option<&str>) -> Result<(), Failure> {
    let sentence = match (role, id) {
        (Role::Node, Some(_)) => "the cluster gives nodes their ids: leave --id out",
        (Role::Node, None) => return Ok(()),
        (_, None) => "say with --id how it is to be called",
        (_, Some(_)) => return Ok(()),
    };
    Err(Failure::new(Reason::INVALID_ARGUMENT, sentence))
}

/// The join listener of the leader, or of any node that answers. Asking also teaches the identity
/// folder where every node is.
async fn join_endpoint(client: &Client) -> Result<String, Failure> {
    let status = client.cluster_status().await?;
    let leads = |id| Some(id) == status.leader;
    let mut nodes: Vec<_> = status
        .nodes
        .iter()
        .filter(|node| node.pid.is_some() && !node.join_address.is_empty())
        .collect();
    nodes.sort_by_key(|node| !leads(node.id));
    nodes
        .first()
        .map(|node| node.join_address.clone())
        .ok_or_else(|| Failure::new(Reason::UNAVAILABLE, "no node tells where joiners reach it"))
}

/// The token, as shown. It is a secret: there is no Debug.
#[derive(Serialize)]
struct TokenView<'a> {
    role: &'static str,
    #[serde(skip)]
    guest: Guest,
    id: Option<String>,
    endpoint: String,
    ca_sha256: String,
    token: &'a str,
    expires: String,
}

impl Answer for TokenView<'_> {
    fn text(&self) -> String {
        let more = match self.guest {
            Guest::Node => "--host THIS_HOST --seal FILE --out DIR".to_owned(),
            Guest::Edge | Guest::Core => format!("--role {} --out DIR", self.role),
            Guest::App | Guest::Operator => "--out DIR".to_owned(),
        };
        let (endpoint, ca_sha256, token) = (&self.endpoint, &self.ca_sha256, self.token);
        format!(
            "endpoint   {endpoint}\n\
             ca sha256  {ca_sha256}\n\
             token      {token}\n\
             expires    {} (can be used once)\n\
             \n\
             On the new host:\n\
             ward enroll --endpoint {endpoint} --ca-sha256 {ca_sha256} \\\n  --token {token} \\\n  \
             {more}\n",
            self.expires
        )
    }
}
