//! `ward key public-key`: what verifies a key's signatures elsewhere.

use envelope::id::KeyVersion;
use kms_client::Client;
use kms_client::model::PublicKey;
use serde::Serialize;

use crate::cli::PublicKeyArguments;
use crate::error::Failure;
use crate::output::{Answer, Format, answer};

/// Shows the public key of a version.
pub(super) async fn run(
    client: &Client,
    format: Format,
    arguments: PublicKeyArguments,
) -> Result<(), Failure> {
    let version = arguments.version.map(KeyVersion);
    let key = client.public_key(arguments.name, version).await?;
    answer(format, &PublicKeyView::from(key))
}

/// A public key, as shown.
#[derive(Serialize)]
struct PublicKeyView {
    key_id: String,
    key_type: &'static str,
    version: u32,
    pem: String,
}

impl From<PublicKey> for PublicKeyView {
    fn from(key: PublicKey) -> Self {
        Self {
            key_id: key.key_id.to_string(),
            key_type: key.key_type.as_str(),
            version: key.key_version.0,
            pem: key.to_pem(),
        }
    }
}

impl Answer for PublicKeyView {
    /// The PEM alone, for a file that other programs read.
    fn text(&self) -> String {
        self.pem.clone()
    }
}
