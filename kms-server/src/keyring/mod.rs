//! The key ring: the term keys that seal every record of the replicated state.
//!
//! The root key wraps the ring and nothing else, so changing the root touches one record. A node
//! holds the open ring in memory while it is unsealed; the root is dropped before `create` and
//! `unseal` return. The vault holds the ring and calls it for every record.

pub use open::{NewRing, UnsealError, create, unseal};
pub use place::Place;
pub(crate) use place::sealed_type;
pub use ring::{KeyRing, RecordError};

mod open;
mod place;
mod ring;
