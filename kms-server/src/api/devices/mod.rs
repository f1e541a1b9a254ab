//! The inventory: telling about devices, enrolling and containing them.

pub(crate) mod contain;
pub(crate) mod describe;
pub(crate) mod enroll;
mod inventory;
pub(crate) mod list;
pub(crate) mod progress;
pub(crate) mod resource;

pub(crate) use inventory::told;
