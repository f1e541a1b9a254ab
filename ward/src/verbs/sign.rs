//! `ward sign`, `ward verify`, `ward mac`, `ward verify-mac`: a message on standard input, under a
//! key that signs or authenticates.

use std::io::Read;

use envelope::id::KeyVersion;
use kms_client::model::KeyType;
use serde::Serialize;

use super::client;
use crate::cli::{Global, SignArguments, VerifySignedArguments};
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer};
use crate::versioned::Versioned;

/// Signs.
pub(super) async fn sign(global: &Global, arguments: SignArguments) -> Result<(), Failure> {
    let (client, message) = (client(global)?, message()?);
    let version = arguments.version.map(KeyVersion);
    let made = client
        .sign(arguments.key.as_str(), &message, version)
        .await?;
    let view = SignedView::of(arguments.key, made.key_type, made.key_version, made.bytes);
    answer(global.format(), &view)
}

/// Makes a code.
pub(super) async fn mac(global: &Global, arguments: SignArguments) -> Result<(), Failure> {
    let (client, message) = (client(global)?, message()?);
    let version = arguments.version.map(KeyVersion);
    let made = client
        .generate_mac(arguments.key.as_str(), &message, version)
        .await?;
    let key_type = KeyType::HmacSha256;
    let view = SignedView::of(arguments.key, key_type, made.key_version, made.bytes);
    answer(global.format(), &view)
}

/// Verifies a signature; only exit code 0 says that it is good.
pub(super) async fn verify(
    global: &Global,
    arguments: VerifySignedArguments,
) -> Result<(), Failure> {
    let (client, message) = (client(global)?, message()?);
    let Versioned { version, bytes } = arguments.signature;
    let key = arguments.key.as_str();
    client.verify(key, version, &message, &bytes).await?;
    answer(global.format(), &VerifiedView::of(key, version))
}

/// Verifies a code; only exit code 0 says that it is good.
pub(super) async fn verify_mac(
    global: &Global,
    arguments: VerifySignedArguments,
) -> Result<(), Failure> {
    let (client, message) = (client(global)?, message()?);
    let Versioned { version, bytes } = arguments.signature;
    let key = arguments.key.as_str();
    client.verify_mac(key, version, &message, &bytes).await?;
    answer(global.format(), &VerifiedView::of(key, version))
}

/// Standard input, to its end: exactly these bytes, a line's end included.
fn message() -> Result<Vec<u8>, Failure> {
    let mut message = Vec::new();
    std::io::stdin()
        .lock()
        .take(MESSAGE_BYTES_MAX + 1)
        .read_to_end(&mut message)
        .map_err(|error| Failure::io("cannot read standard input", &error))?;
    if message.len() as u64 > MESSAGE_BYTES_MAX {
        let sentence = "a message has at most 4096 bytes; use its digest instead: \
                        `openssl dgst -sha256 -binary FILE | ward sign --key NAME`";
        return Err(Failure::new(Reason::INVALID_ARGUMENT, sentence));
    }
    Ok(message)
}

/// What was made, as shown.
#[derive(Serialize)]
struct SignedView {
    key: String,
    key_type: &'static str,
    version: u32,
    signature: String,
}

impl SignedView {
    fn of(key: String, key_type: KeyType, version: KeyVersion, bytes: Vec<u8>) -> Self {
        Self {
            key,
            key_type: key_type.as_str(),
            version: version.0,
            signature: Versioned { version, bytes }.to_string(),
        }
    }
}

impl Answer for SignedView {
    /// The signature alone, so that a script keeps just what `verify` takes.
    fn text(&self) -> String {
        format!("{}\n", self.signature)
    }
}

/// What was verified, as shown.
#[derive(Serialize)]
struct VerifiedView {
    key: String,
    version: u32,
    verified: bool,
}

impl VerifiedView {
    fn of(key: &str, version: KeyVersion) -> Self {
        Self {
            key: key.to_owned(),
            version: version.0,
            verified: true,
        }
    }
}

impl Answer for VerifiedView {
    fn text(&self) -> String {
        let Self { key, version, .. } = self;
        format!("verified: made by version {version} of {key}\n")
    }
}

/// What the cluster takes.
const MESSAGE_BYTES_MAX: u64 = 4_096;
