//! Policies that the hospital adds: written, listed, told. Operators alone get here.

mod put;
mod read;

pub(crate) use put::put;
pub(crate) use read::{describe, list};
