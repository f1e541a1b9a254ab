//! The caller in the words of the policies.

use crate::api::caller::Caller;
use crate::node::context::Node;
use crate::policy::{GatewayRole, Principal, PrincipalKind};
use crate::state::{self, Role};

/// A gateway's side is what it announced; policies that ask for it fail before that.
pub(crate) fn principal(node: &Node, caller: &Caller) -> Principal {
    named(node, caller.role, caller.id.id())
}

/// An identity in the words of the policies, whether or not it is known.
pub(crate) fn named(node: &Node, role: Role, id: &str) -> Principal {
    let kind = match role {
        Role::Node => PrincipalKind::Node,
        Role::Gateway => PrincipalKind::Gateway(announced(node, id)),
        Role::Device => PrincipalKind::Device,
        Role::App => PrincipalKind::App,
        Role::Operator => PrincipalKind::Operator,
    };
    Principal {
        kind,
        id: id.to_owned(),
    }
}

fn announced(node: &Node, gateway: &str) -> Option<GatewayRole> {
    let role = node
        .replica
        .read(|index| index.gateway(gateway).map(|known| known.role))?;
    Some(match role {
        state::GatewayRole::Edge => GatewayRole::Edge,
        state::GatewayRole::Core => GatewayRole::Core,
    })
}
