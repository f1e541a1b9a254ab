//! Using keys. Every verb: barrier → authorize → vault → audit durable → epoch again → answer.

pub(crate) mod decrypt;
pub(crate) mod encrypt;
pub(crate) mod generate_data_key;
pub(crate) mod generate_wrapped;
pub(crate) mod re_encrypt;
pub(crate) mod unwrap_data_key;
mod use_key;
