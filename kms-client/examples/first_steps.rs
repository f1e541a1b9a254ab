//! First steps with Ward: open a client, make a key, seal and open, list what was archived.
//!
//! Start a cluster with `cargo run --release -- up`, then, in another terminal:
//! `cargo run -p kms-client --example first_steps -- ward-data`

use std::path::Path;

use kms_client::archive::{Archive, Filter};
use kms_client::reason::Reason;
use kms_client::{Client, EncryptionContext, Error, stream};

// Freed memory holds no secrets, whichever library freed it.
#[global_allocator]
static ALLOCATOR: kms_client::WipingAllocator = kms_client::WipingAllocator;

const KEY: &str = "first-steps";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let dir = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "ward-data".to_owned());
    // A data directory of `ward up`; an application of its own has an identity folder instead.
    let client = Client::open(&dir)?;
    say(&format!("connected as {}", client.id()));

    make_key(&client).await?;
    seal_a_few_bytes(&client).await?;
    seal_a_stream(&client).await?;
    list_archive(&Path::new(&dir).join("core/archive"))
}

/// Makes the key, unless an earlier run did.
async fn make_key(client: &Client) -> Result<(), Error> {
    match client.create_key(KEY).await {
        Ok(key) => say(&format!("made key {} ({})", key.name, key.id)),
        Err(error) if error.reason() == Reason::NameTaken => say("the key is there already"),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// At most 4 096 bytes: the cluster itself encrypts and decrypts.
async fn seal_a_few_bytes(client: &Client) -> Result<(), Error> {
    let mut context = EncryptionContext::new();
    context.insert("patient", "4711")?;
    let sealed = client
        .encrypt(KEY, b"allergic to penicillin", &context)
        .await?;
    say(&format!(
        "sealed into {} bytes by version {}",
        sealed.blob.len(),
        sealed.key_version
    ));

    let opened = client.decrypt(&sealed.blob, &context).await?;
    say(&format!("opened {} bytes", opened.plaintext.len()));

    // The context is part of what was sealed: for another patient it does not open.
    let mut other = EncryptionContext::new();
    other.insert("patient", "4712")?;
    match client.decrypt(&sealed.blob, &other).await {
        Err(error) if error.reason() == Reason::OpenFailed => say("another context is refused"),
        Err(error) => return Err(error),
        Ok(_) => return Err(Error::new(Reason::Internal, "opened under a wrong context")),
    }
    Ok(())
}

/// Any size, in constant memory: sealed here, under a data key that the cluster wraps.
async fn seal_a_stream(client: &Client) -> Result<(), Error> {
    let scan = vec![7; 1_000_000];
    let context = EncryptionContext::new();
    let mut sealed = Vec::new();
    stream::seal_stream(client, KEY, &context, scan.as_slice(), &mut sealed).await?;
    let mut opened = Vec::new();
    let bytes = stream::open_stream(client, &context, sealed.as_slice(), &mut opened).await?;
    say(&format!(
        "sealed and opened a stream of {bytes} bytes: same is {}",
        opened == scan
    ));
    Ok(())
}

/// Needs no key: what was archived, by which device, when.
fn list_archive(dir: &Path) -> Result<(), Error> {
    if !dir.is_dir() {
        say("nothing is archived here");
        return Ok(());
    }
    for object in Archive::open(dir)?.list(Filter::default())? {
        let object = object?;
        let (device, direction) = (&object.device, object.direction.as_str());
        let (time, id, bytes) = (&object.time, object.object_id, object.bytes);
        say(&format!("{time} {device} {direction} {id} {bytes} bytes"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn say(line: &str) {
    println!("{line}");
}
