//! Using keys. Every verb: barrier → authorize → quota → vault → audit durable → held → epoch
//! again → answer.

pub(crate) mod batch;
pub(crate) mod decrypt;
pub(crate) mod encrypt;
pub(crate) mod generate_data_key;
pub(crate) mod generate_mac;
pub(crate) mod generate_random;
pub(crate) mod generate_wrapped;
mod held;
mod quota;
pub(crate) mod re_encrypt;
pub(crate) mod rewrap_data_keys;
pub(crate) mod sign;
pub(crate) mod unwrap_data_key;
mod use_key;
pub(crate) mod use_keys;
pub(crate) mod verify;
pub(crate) mod verify_mac;
