//! `ward sign`, `ward verify`, `ward mac`, `ward verify-mac` and `ward random`.

use clap::Args;

use crate::versioned::Versioned;

/// With what to sign, or to make a code; the message is on standard input.
#[derive(Args, Debug)]
pub(crate) struct SignArguments {
    /// The key's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) key: String,
    /// An older version than the primary, for who does not have the new public key yet.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
}

/// What to verify; the message is on standard input.
#[derive(Args, Debug)]
pub(crate) struct VerifySignedArguments {
    /// The name of the key that is expected.
    #[arg(long, value_name = "NAME")]
    pub(crate) key: String,
    /// What was answered for this message, vN:BASE64.
    #[arg(value_name = "SIGNATURE")]
    pub(crate) signature: Versioned,
}

/// How much.
#[derive(Args, Debug)]
pub(crate) struct RandomArguments {
    /// How many bytes, 1 to 1024.
    #[arg(value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) count: u32,
}
