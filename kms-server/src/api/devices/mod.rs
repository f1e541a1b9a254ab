//! The inventory: telling about devices, and enrolling them.

pub(crate) mod describe;
pub(crate) mod enroll;
mod inventory;
pub(crate) mod list;
