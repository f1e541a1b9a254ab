//! Histories: what clients asked a cluster and what they were told, and whether that can be true.
//!
//! [`record`] takes each call down with the times of its beginning and end. [`key`] and [`device`]
//! say what a right cluster would answer; [`linear`] searches for an order of the calls in which
//! all answers are right; [`revocation`], [`lease`], [`containment`], [`durability`] and [`audit`]
//! look for one thing each, without a search, and say it plainer.

pub mod audit;
pub mod check;
pub mod containment;
pub mod device;
pub mod durability;
pub mod key;
pub mod lease;
pub mod linear;
pub mod record;
pub mod revocation;
