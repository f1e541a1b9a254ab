//! Tests that need what the crate keeps to itself: given salts, and the primitives.

mod vectors;
mod wycheproof;
