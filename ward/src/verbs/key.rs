//! `ward key …`.

use envelope::id::KeyVersion;
use kms_client::model::{Key, KeyVersionInfo, Labels, NewKey};
use serde::Serialize;

use super::key_rotation::{self, RotationView};
use super::{client, key_alias, key_census, key_import, key_rewrap, public_key};
use crate::cli::{Global, KeyVerb, Label, gather_labels};
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer};
use crate::text::{Table, time};

/// Does what was typed after `ward key`.
pub(super) async fn run(global: &Global, verb: KeyVerb) -> Result<(), Failure> {
    let client = client(global)?;
    let key = match verb {
        KeyVerb::List(wanted) => {
            let labels = labels(&wanted.label)?;
            let keys = client.list_labelled_keys(&wanted.prefix, &labels).await?;
            let keys = KeyList(keys.iter().map(KeyView::from).collect());
            return answer(global.format(), &keys);
        }
        KeyVerb::Alias(verb) => return key_alias::run(&client, global.format(), verb).await,
        KeyVerb::Label(asked) => {
            let set = labels(&asked.set)?;
            client
                .set_key_labels(asked.name, &set, &asked.remove)
                .await?
        }
        KeyVerb::PublicKey(which) => {
            return public_key::run(&client, global.format(), which).await;
        }
        KeyVerb::Census(asked) => {
            return key_census::run(&client, global.format(), asked).await;
        }
        KeyVerb::Rewrap(asked) => {
            return key_rewrap::run(&client, global.format(), asked).await;
        }
        KeyVerb::Create(key) => {
            let (key_type, labels) = (key.key_type.0, labels(&key.label)?);
            let every = key.rotate_every;
            let key = NewKey {
                name: key.name,
                key_type,
                labels,
            };
            key_rotation::create(&client, key, every).await?
        }
        KeyVerb::Import(asked) => key_import::import(&client, asked).await?,
        KeyVerb::ImportWrapped(asked) => key_import::wrapped(&client, asked).await?,
        KeyVerb::ImportParameters(asked) => {
            return key_import::parameters(&client, global.format(), asked).await;
        }
        KeyVerb::Describe(key) => client.describe_key(key.name).await?,
        KeyVerb::Rotate(key) => {
            let expected = key.expected_primary.map(KeyVersion);
            client.rotate_key(key.name, expected).await?
        }
        KeyVerb::Disable(which) => match which.version.map(KeyVersion) {
            None => client.disable_key(which.name).await?,
            Some(version) => client.disable_key_version(which.name, version).await?,
        },
        KeyVerb::Enable(which) => match which.version.map(KeyVersion) {
            None => client.enable_key(which.name).await?,
            Some(version) => client.enable_key_version(which.name, version).await?,
        },
        KeyVerb::SetMinimum(asked) => {
            let (encrypt, decrypt) = (asked.encrypt.map(KeyVersion), asked.decrypt.map(KeyVersion));
            client.set_key_minimum(asked.name, encrypt, decrypt).await?
        }
        KeyVerb::SetRotation(asked) => key_rotation::set(&client, asked).await?,
    };
    answer(global.format(), &KeyView::from(&key))
}

fn labels(typed: &[Label]) -> Result<Labels, Failure> {
    gather_labels(typed).map_err(|problem| Failure::new(Reason::INVALID_ARGUMENT, problem))
}

/// A key, as shown.
#[derive(Serialize)]
struct KeyView {
    key_id: String,
    name: String,
    key_type: &'static str,
    origin: &'static str,
    state: &'static str,
    primary_version: u32,
    minimum_encrypt: u32,
    minimum_decrypt: u32,
    labels: Labels,
    aliases: Vec<String>,
    rotation: Option<RotationView>,
    versions: Vec<VersionView>,
}

/// A version of a key, as shown.
#[derive(Serialize)]
struct VersionView {
    version: u32,
    state: &'static str,
    created: String,
}

/// Keys, as shown: one JSON array.
#[derive(Serialize)]
#[serde(transparent)]
struct KeyList(Vec<KeyView>);

impl From<&Key> for KeyView {
    fn from(key: &Key) -> Self {
        let version = |version: &KeyVersionInfo| VersionView {
            version: version.version.0,
            state: version.state.as_str(),
            created: time(version.created_ms),
        };
        Self {
            key_id: key.id.to_string(),
            name: key.name.clone(),
            key_type: key.key_type.as_str(),
            origin: if key.imported { "imported" } else { "made" },
            state: key.state.as_str(),
            primary_version: key.primary_version.0,
            minimum_encrypt: key.minimum_encrypt.0,
            minimum_decrypt: key.minimum_decrypt.0,
            labels: key.labels.clone(),
            aliases: key.aliases.clone(),
            rotation: RotationView::of(key, sys::clock::wall_ms()),
            versions: key.versions.iter().map(version).collect(),
        }
    }
}

impl Answer for KeyView {
    fn text(&self) -> String {
        let mut text = format!(
            "name             {}\nkey id           {}\ntype             {}\norigin           {}\n\
             state            {}\nprimary version  {}\nminimum          encrypt {}, decrypt {}\n",
            self.name,
            self.key_id,
            self.key_type,
            self.origin,
            self.state,
            self.primary_version,
            self.minimum_encrypt,
            self.minimum_decrypt
        );
        for (key, value) in &self.labels {
            text.push_str(&format!("label            {key}={value}\n"));
        }
        for alias in &self.aliases {
            text.push_str(&format!("alias            {alias}\n"));
        }
        if let Some(rotation) = &self.rotation {
            text.push_str(&rotation.text());
        }
        for version in &self.versions {
            let VersionView {
                version,
                state,
                created,
            } = version;
            text.push_str(&format!("version {version:<8} {state}, made {created}\n"));
        }
        text
    }
}

impl Answer for KeyList {
    fn text(&self) -> String {
        let mut table = Table::new(&[
            "NAME", "TYPE", "ORIGIN", "STATE", "PRIMARY", "VERSIONS", "KEY ID", "LABELS",
        ]);
        for key in &self.0 {
            table.row([
                key.name.clone(),
                key.key_type.to_owned(),
                key.origin.to_owned(),
                key.state.to_owned(),
                key.primary_version.to_string(),
                key.versions.len().to_string(),
                key.key_id.clone(),
                listed(&key.labels),
            ]);
        }
        table.text()
    }
}

/// Labels in one cell of a table.
fn listed(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}
