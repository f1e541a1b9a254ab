//! The stories of the whole stack, at any size; each returns what it saw.

pub mod canaries;
pub mod contain;
pub mod dicom;
pub mod disabled;
pub mod endings;
pub mod failover;
pub mod histories;
pub mod hl7;
pub mod kept;
pub mod keys;
pub mod kills;
pub mod stranger;
pub mod wire;
