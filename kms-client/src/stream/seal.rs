//! Seals a stand-alone stream.

use envelope::context::EncryptionContext;
use envelope::id::ObjectId;
use envelope::object::{Prologue, Sealer};
use envelope::stream::StreamHeader;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::{PIECE_BYTES, cannot_read, cannot_write};
use crate::Client;
use crate::error::Error;
use crate::model::{DataKey, DataKeyKind, KeySelector};

/// Seals everything that `reader` gives under a new data key, wrapped by `key`, and writes it to
/// `writer`, in constant memory. Answers how many bytes of plaintext it were.
///
/// A stream without its end does not open, so a writer that fails cannot be taken for whole.
///
/// ```no_run
/// # async fn example(client: kms_client::Client) -> kms_client::Result<()> {
/// use kms_client::{EncryptionContext, stream};
///
/// let context = EncryptionContext::new();
/// let mut sealed = Vec::new();
/// stream::seal_stream(&client, "billing", &context, b"any size".as_slice(), &mut sealed).await?;
/// let mut opened = Vec::new();
/// stream::open_stream(&client, &context, sealed.as_slice(), &mut opened).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`Client::generate_data_keys`]; `STORAGE` when `reader` or `writer` fails.
pub async fn seal_stream(
    client: &Client,
    key: impl Into<KeySelector>,
    context: &EncryptionContext,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
) -> Result<u64, Error> {
    let data_key = client
        .generate_data_key(key, context, DataKeyKind::Stream)
        .await?;
    seal_under(data_key, reader, writer).await
}

pub(super) async fn seal_under(
    data_key: DataKey,
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) -> Result<u64, Error> {
    let DataKey {
        id,
        secret,
        wrapped,
        context,
    } = data_key;
    let prologue = Prologue {
        object_id: ObjectId::random(),
        data_key_id: id,
        context,
    };
    let mut sealer = Sealer::new(&secret, &prologue)?;
    drop(secret);
    let mut out = StreamHeader { wrapped }.write()?;
    out.extend_from_slice(sealer.header());
    let mut piece = Zeroizing::new(vec![0; PIECE_BYTES]);
    loop {
        let bytes = reader.read(&mut piece).await.map_err(cannot_read)?;
        if bytes == 0 {
            break;
        }
        sealer.update(&piece[..bytes], &mut out)?;
        writer.write_all(&out).await.map_err(cannot_write)?;
        out.clear();
    }
    let plaintext_bytes = sealer.finish(&mut out)?;
    writer.write_all(&out).await.map_err(cannot_write)?;
    writer.flush().await.map_err(cannot_write)?;
    Ok(plaintext_bytes)
}
