//! The gRPC API: one handler file a verb or noun.
//!
//! `services` implements the generated traits and does nothing but call the handlers. A handler
//! takes a [`call::Call`], passes its gates, and answers; whatever it fails with is a
//! [`failure::Failure`], which `status` puts on the wire.

mod approvals;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod caller;
pub(crate) mod carry;
pub(crate) mod cluster;
mod convert;
mod crypto;
mod devices;
pub(crate) mod failure;
pub(crate) mod forward;
mod gateways;
pub(crate) mod identities;
mod key_ref;
pub(crate) mod keys;
mod page;
mod permitted;
mod policies;
mod principal;
mod quotas;
pub(crate) mod rewraps;
pub(crate) mod services;
mod status;
mod write;
