//! The gRPC API: one handler file a verb or noun.
//!
//! `services` implements the generated traits and does nothing but call the handlers.

pub(crate) mod caller;
pub(crate) mod failure;
mod status;
