//! Authorization: Cedar policies, deny by default, decided here and proven by a value.
//!
//! The API builds a [`Request`], asks the [`Engine`], and gets an [`Authorized`] that the vault
//! demands before it touches a key, or a [`Denied`] that names what decided. Nothing here knows
//! the network or Raft; the policies of the replicated state are handed in as text.

pub use action::Action;
pub use decision::{Authorized, Denied, DeniedBecause};
pub use engine::Engine;
pub use request::{
    Circumstances, DeviceRef, Facts, GatewayRole, Principal, PrincipalKind, Request, Resource,
};
pub use set::{PolicyError, PolicySet, PolicyText, SCHEMA, built_in_text};

mod action;
mod decision;
mod engine;
mod entities;
mod remembered;
mod request;
mod set;
mod shape;
#[cfg(test)]
mod tests;
