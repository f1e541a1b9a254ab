//! `ward key import`, and its two halves for material that another program seals.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use envelope::import::IMPORT_ID_BYTES;

use super::enter::life;
use super::key::TypeWord;

/// Which material becomes which key.
#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    pub(crate) key: ImportedKey,
    /// The file that holds the material: 32 bytes, or a private key as PKCS#8, DER or PEM. It is
    /// sealed here and is never sent in clear.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
}

/// A key whose material another program seals.
#[derive(Args, Debug)]
pub(crate) struct ParametersArguments {
    #[command(flatten)]
    pub(crate) key: ImportedKey,
    /// How long they can be used: 30s, 10m, 2h; at most 24h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = life)]
    pub(crate) ttl: Duration,
}

/// What will be made.
#[derive(Args, Debug)]
pub(crate) struct ImportedKey {
    /// The key's name: 1 to 128 letters, digits and / - . _
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is for; fixed for its life.
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t)]
    pub(crate) key_type: TypeWord,
}

/// Material that another program has sealed.
#[derive(Args, Debug)]
pub(crate) struct WrappedArguments {
    /// The import, as `ward key import-parameters` shows it.
    #[arg(value_name = "ID")]
    pub(crate) import: ImportIdWord,
    /// The file that holds the sealed material.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
}

/// The id of an import, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImportIdWord(pub(crate) [u8; IMPORT_ID_BYTES]);

impl FromStr for ImportIdWord {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; IMPORT_ID_BYTES];
        hex::decode_to_slice(text, &mut id).map_err(
            |_| "write 32 hexadecimal digits, as `ward key import-parameters` shows them",
        )?;
        Ok(Self(id))
    }
}
