//! `ward encrypt` and `ward decrypt`.

use clap::Args;

use crate::context::ContextPair;

/// How to encrypt.
#[derive(Args, Debug)]
pub(crate) struct EncryptArguments {
    /// The key's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) key: String,
    /// A pair that is authenticated, not secret; decrypting needs the same. May be repeated.
    #[arg(long, value_name = "K=V")]
    pub(crate) context: Vec<ContextPair>,
}

/// How to decrypt; the key is named in the stream.
#[derive(Args, Debug)]
pub(crate) struct DecryptArguments {
    /// The pairs that were given to `ward encrypt`. May be repeated.
    #[arg(long, value_name = "K=V")]
    pub(crate) context: Vec<ContextPair>,
}
