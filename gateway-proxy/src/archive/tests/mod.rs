//! The archive from tap to disk and back through the client library's reader.

mod damage;
mod durability;
mod gaps;
mod keys;
mod labels;
mod partition;
pub(crate) mod rig;

use rig::Rig;
