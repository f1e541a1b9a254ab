//! Policies that the hospital adds: written, listed, told, tried. Operators alone get here.

mod explain;
mod put;
mod read;

pub(crate) use explain::explain;
pub(crate) use put::{delete, put};
pub(crate) use read::{describe, list};
