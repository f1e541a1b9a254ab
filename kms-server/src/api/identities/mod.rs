//! Who may call: join tokens, joining, and certificates.

pub(crate) mod authority;
pub(crate) mod create_token;
pub(crate) mod issue;
pub(crate) mod join;
