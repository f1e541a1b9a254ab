//! The numbers of roles inside join tokens (docs/format.md).

use kms_client::identity::Role;

/// The number of a role that can join; devices cannot, their gateways ask for them.
pub(crate) fn number(role: Role) -> Option<u8> {
    match role {
        Role::Node => Some(1),
        Role::Gateway => Some(2),
        Role::Device => None,
        Role::App => Some(3),
        Role::Operator => Some(4),
    }
}

/// The role of a number.
pub(crate) fn role(number: u8) -> Option<Role> {
    Role::ALL
        .iter()
        .copied()
        .find(|role| self::number(*role) == Some(number))
}
