//! The verbs, one file a subject. Each builds its message, sends it through the call loop and
//! reads the answer into a type of [`crate::model`].

mod aliases;
mod approvals;
mod ask;
mod audit;
mod batch;
mod certificates;
mod cluster;
mod containment;
mod crypto;
mod devices;
mod imports;
mod key_versions;
mod keys;
mod labels;
mod members;
mod policies;
mod quotas;
mod random;
mod rewraps;
mod rotation;
mod signatures;
mod tokens;

pub use batch::Batch;

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use ward_proto::v1;

use crate::error::Error;
use crate::reason::Reason;

/// Names a new intent. Made once a call, so that every attempt carries the same.
fn new_intent() -> Result<Option<v1::WriteOptions>, Error> {
    let mut key = [0; 16];
    SystemRandom::new()
        .fill(&mut key)
        .map_err(|ring::error::Unspecified| {
            Error::new(
                Reason::Internal,
                "the operating system has no randomness to give",
            )
        })?;
    Ok(Some(v1::WriteOptions {
        idempotency_key: Bytes::copy_from_slice(&key),
    }))
}
