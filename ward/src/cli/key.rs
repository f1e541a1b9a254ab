//! `ward key …`.

use clap::builder::PossibleValue;
use clap::{Args, Subcommand, ValueEnum};
use kms_client::model::KeyType;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key with its first version.
    Create(CreateKeyArguments),
    /// List all keys by name.
    List,
    /// Show one key with its versions.
    Describe(KeyArguments),
    /// Show the public key of a version that signs, as PEM.
    #[command(disable_version_flag = true)]
    PublicKey(PublicKeyArguments),
    /// Make a new version; what is encrypted from now on uses it.
    Rotate(RotateArguments),
    /// Refuse every use of a key, or of one version, on every node, from the answer on.
    #[command(disable_version_flag = true)]
    Disable(StateArguments),
    /// Allow the use of a disabled key, or version, again.
    #[command(disable_version_flag = true)]
    Enable(StateArguments),
    /// Refuse every use of versions below a minimum, or allow it again.
    SetMinimum(MinimumArguments),
}

/// Which key to make.
#[derive(Args, Debug)]
pub(crate) struct CreateKeyArguments {
    /// Its name: 1 to 128 letters, digits and / - . _
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is for; fixed for its life.
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t)]
    pub(crate) key_type: TypeWord,
}

/// A type of key, by the word that the cluster's answers have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TypeWord(pub(crate) KeyType);

impl ValueEnum for TypeWord {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [TypeWord; 4] = [
            TypeWord(KeyType::ALL[0]),
            TypeWord(KeyType::ALL[1]),
            TypeWord(KeyType::ALL[2]),
            TypeWord(KeyType::ALL[3]),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            KeyType::Aes256Gcm => "encrypts and wraps data keys: encrypt, decrypt",
            KeyType::HmacSha256 => "authenticates messages: mac, verify-mac",
            KeyType::Ed25519 | KeyType::EcdsaP256 => "signs messages: sign, verify",
        };
        Some(PossibleValue::new(self.0.as_str()).help(help))
    }
}

/// Whose public key.
#[derive(Args, Debug)]
pub(crate) struct PublicKeyArguments {
    /// The key's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Of this version [default: the primary].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
}

/// Which key to rotate.
#[derive(Args, Debug)]
pub(crate) struct RotateArguments {
    /// Its name; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Only if this version is the primary now, so that two who rotate at once make one version.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) expected_primary: Option<u32>,
}

/// What to enable or disable.
#[derive(Args, Debug)]
pub(crate) struct StateArguments {
    /// The key's name; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// This version alone.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
}

/// Which versions may be used.
#[derive(Args, Debug)]
pub(crate) struct MinimumArguments {
    /// The key's name; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The lowest version that may encrypt, sign or authenticate; at most the primary.
    #[arg(long, value_name = "N", required_unless_present = "decrypt",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) encrypt: Option<u32>,
    /// The lowest version that may be used at all; raises the other where needed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) decrypt: Option<u32>,
}

/// Which key.
#[derive(Args, Debug)]
pub(crate) struct KeyArguments {
    /// Its name; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
