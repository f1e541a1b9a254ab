//! `ward key …`.

use clap::{Args, Subcommand};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key with its first version.
    Create(KeyArguments),
    /// List all keys by name.
    List,
    /// Show one key with its versions.
    Describe(KeyArguments),
    /// Make a new version; what is encrypted from now on uses it.
    Rotate(KeyArguments),
    /// Refuse every use of a key, on every node, from the answer on.
    Disable(KeyArguments),
    /// Allow the use of a disabled key again.
    Enable(KeyArguments),
}

/// Which key.
#[derive(Args, Debug)]
pub(crate) struct KeyArguments {
    /// Its name; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
