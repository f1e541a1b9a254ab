//! `ward key …`.

use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, Subcommand, ValueEnum};
use kms_client::model::KeyType;

use super::import::{ImportArguments, ParametersArguments, WrappedArguments};
use super::label::{AliasVerb, Label, LabelArguments, gather_labels};
use super::rewrap::{CensusArguments, RewrapArguments};
use super::rotation::{RotationArguments, period};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key with its first version.
    Create(CreateKeyArguments),
    /// Make a key of material from elsewhere, sealed on this machine.
    Import(ImportArguments),
    /// Get what another program seals material with.
    ImportParameters(ParametersArguments),
    /// Make a key of material that another program has sealed.
    ImportWrapped(WrappedArguments),
    /// List keys by name.
    List(ListKeysArguments),
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
    /// Let the cluster rotate a key by period, or no longer.
    SetRotation(RotationArguments),
    /// Show how many archived data keys lie under each version of a key, as gateways told it.
    Census(CensusArguments),
    /// Move archived data keys to the newest version of their key, at all gateways.
    Rewrap(RewrapArguments),
    /// Set and remove labels, by which `ward key list --label` finds keys.
    Label(LabelArguments),
    /// Give keys other names, `alias/NAME`, which can be moved from key to key.
    #[command(subcommand)]
    Alias(AliasVerb),
}

impl KeyVerb {
    /// What one argument alone does not show.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let labels = match self {
            Self::Create(arguments) => &arguments.label,
            Self::List(arguments) => &arguments.label,
            Self::Label(arguments) => &arguments.set,
            Self::Describe(_)
            | Self::PublicKey(_)
            | Self::Rotate(_)
            | Self::Disable(_)
            | Self::Enable(_)
            | Self::SetMinimum(_)
            | Self::SetRotation(_)
            | Self::Census(_)
            | Self::Rewrap(_)
            | Self::Import(_)
            | Self::ImportParameters(_)
            | Self::ImportWrapped(_)
            | Self::Alias(_) => return None,
        };
        gather_labels(labels).err()
    }
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
    /// A label to find it by. May be repeated.
    #[arg(long, value_name = "K=V")]
    pub(crate) label: Vec<Label>,
    /// Let the cluster rotate it so often: 12h, 90d, 2y; one hour to ten years.
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) rotate_every: Option<Duration>,
}

/// Which keys to list.
#[derive(Args, Debug)]
pub(crate) struct ListKeysArguments {
    /// Only keys whose names begin so.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) prefix: String,
    /// Only keys that have this label. May be repeated: all of them.
    #[arg(long, value_name = "K=V")]
    pub(crate) label: Vec<Label>,
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
    /// Its name, or an alias; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Only if this version is the primary now, so that two who rotate at once make one version.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) expected_primary: Option<u32>,
}

/// What to enable or disable.
#[derive(Args, Debug)]
pub(crate) struct StateArguments {
    /// The key's name, or an alias; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// This version alone.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
}

/// Which versions may be used.
#[derive(Args, Debug)]
pub(crate) struct MinimumArguments {
    /// The key's name, or an alias; a device's key is `device/ID`.
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
    /// Its name, or an alias; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::cli::Cli;

    #[test]
    fn wrong_usage_of_keys_exits_with_2() {
        for line in [
            "ward key create k --type rsa",
            "ward key public-key",
            "ward key disable k --version 0",
            "ward key set-minimum k",
            "ward key create k --rotate-every 59m",
            "ward key set-rotation k",
            "ward key import k",
            "ward key import --from f",
            "ward key import-parameters k --ttl 25h",
            "ward key import-wrapped 00 --from f",
            "ward key set-rotation k --every 11y",
            "ward key set-rotation k --every 1d --never",
            "ward key rewrap",
            "ward key rewrap k --rate 0",
            "ward key rewrap k --rate 100001",
            "ward key rewrap k --status --rate 5",
            "ward key rewrap k --cancel --watch",
            "ward key create k --label site",
            "ward key create k --label a=1 --label a=2",
            "ward key list --label =x",
            "ward key label k",
            "ward key label k --set a=1 --set a=2",
            "ward key alias",
            "ward key alias create alias/a",
            "ward key alias move alias/a",
            "ward key set-minimum k --decrypt 0",
            "ward key rotate k --expected-primary 0",
            "ward sign",
            "ward sign --key k --version 0",
            "ward verify --key k",
            "ward verify --key k AAAA",
            "ward verify-mac --key k v0:AAAA",
            "ward random 0",
            "ward random 1025",
        ] {
            let words = line.split_whitespace().map(OsString::from);
            assert_eq!(Cli::read(words).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
