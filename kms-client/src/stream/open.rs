//! Opens a stand-alone stream.

use envelope::OpenFailed;
use envelope::context::{EncryptionContext, reserved};
use envelope::object::{HEADER_MAX, Opener, Prologue, SALT_AND_COMMITMENT_BYTES};
use envelope::secret::SecretVec;
use envelope::stream::{HEADER_BYTES_MAX, StreamHeader};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{PIECE_BYTES, cannot_read, cannot_write};
use crate::Client;
use crate::archive::DataKeySource;
use crate::error::Error;
use crate::reason::Reason;

/// Opens a stream that [`seal_stream`](super::seal_stream) made and writes its plaintext to
/// `writer`, in constant memory. Answers how many bytes it were.
///
/// `context` must be what the stream was sealed under: all of it and no more. What the stream says
/// of its context is not believed, except for Ward's own pairs, which unwrapping proves.
/// Nothing is written that is not authentic, but a stream can prove its completeness only at its
/// end: what was written before an error is a true beginning, not the whole.
///
/// # Errors
///
/// `OPEN_FAILED` for anything that is not a whole, unchanged stream under this context,
/// `KEY_DISABLED`, `DENIED`; `STORAGE` when `reader` or `writer` fails.
pub async fn open_stream(
    client: &Client,
    context: &EncryptionContext,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
) -> Result<u64, Error> {
    open_with(client, context, reader, writer).await
}

pub(super) async fn open_with(
    keys: &impl DataKeySource,
    context: &EncryptionContext,
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) -> Result<u64, Error> {
    let (front, rest) = read_front(&mut reader).await?;
    let wrap_context = wrap_context(&front.prologue.context, context)?;
    front.prologue.check_belongs_to(&wrap_context)?;
    let secret = keys
        .unwrap_data_key(&front.wrapped, &wrap_context)
        .await
        .map_err(hide_unknown_key)?;
    let mut opener = Opener::new(&secret, &front.prologue_bytes, &front.salt_and_commitment)?;
    drop(secret);

    let mut out = SecretVec::with_capacity(2 * PIECE_BYTES);
    opener.update(&rest, &mut out)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        writer.write_all(out.expose()).await.map_err(cannot_write)?;
        out.clear();
        let bytes = reader.read(&mut piece).await.map_err(cannot_read)?;
        if bytes == 0 {
            break;
        }
        opener.update(&piece[..bytes], &mut out)?;
    }
    let plaintext_bytes = opener.finish(&mut out)?;
    writer.write_all(out.expose()).await.map_err(cannot_write)?;
    writer.flush().await.map_err(cannot_write)?;
    Ok(plaintext_bytes)
}

/// What the data key must have been wrapped under: the caller's pairs, and Ward's own.
fn wrap_context(
    stream: &EncryptionContext,
    given: &EncryptionContext,
) -> Result<EncryptionContext, OpenFailed> {
    let mut context = given.clone();
    for name in [reserved::DATA_KEY, reserved::KIND, reserved::DEVICE] {
        if let Some(value) = stream.get(name) {
            context
                .insert_reserved(name, value)
                .map_err(|_| OpenFailed)?;
        }
    }
    Ok(context)
}

/// What stands before a stream's first chunk.
struct Front {
    wrapped: Vec<u8>,
    prologue: Prologue,
    /// Exactly as read: the commitment is over these bytes.
    prologue_bytes: Vec<u8>,
    salt_and_commitment: [u8; SALT_AND_COMMITMENT_BYTES],
}

/// Reads the front; also answers what was read beyond it.
async fn read_front(reader: &mut (impl AsyncRead + Unpin)) -> Result<(Front, Vec<u8>), Error> {
    let mut read = Vec::with_capacity(FRONT_BYTES_MAX);
    loop {
        if let Some((front, used)) = parse_front(&read)? {
            return Ok((front, read.split_off(used)));
        }
        if read.len() >= FRONT_BYTES_MAX {
            return Err(OpenFailed.into());
        }
        let room = (FRONT_BYTES_MAX - read.len()) as u64;
        let bytes = reader
            .take(room)
            .read_buf(&mut read)
            .await
            .map_err(cannot_read)?;
        if bytes == 0 {
            return Err(OpenFailed.into());
        }
    }
}

/// Takes the front apart; `None` when more bytes are needed. Whatever is malformed was changed,
/// so it is the same refusal.
fn parse_front(read: &[u8]) -> Result<Option<(Front, usize)>, OpenFailed> {
    let Some((header, at_prologue)) = StreamHeader::parse(read).map_err(|_| OpenFailed)? else {
        return Ok(None);
    };
    let object = &read[at_prologue..];
    let Some((prologue, prologue_len)) = Prologue::parse(object).map_err(|_| OpenFailed)? else {
        return Ok(None);
    };
    let (prologue_bytes, sealed) = object.split_at(prologue_len);
    let Some(salt_and_commitment) = sealed.first_chunk() else {
        return Ok(None);
    };
    let front = Front {
        wrapped: header.wrapped,
        prologue,
        prologue_bytes: prologue_bytes.to_vec(),
        salt_and_commitment: *salt_and_commitment,
    };
    let used = at_prologue + prologue_len + SALT_AND_COMMITMENT_BYTES;
    Ok(Some((front, used)))
}

/// A changed key id in the header reads like a key that does not exist; neither can be told from
/// any other change.
fn hide_unknown_key(error: Error) -> Error {
    let hidden = [Reason::KeyNotFound, Reason::InvalidArgument];
    if hidden.contains(&error.reason()) {
        OpenFailed.into()
    } else {
        error
    }
}

const FRONT_BYTES_MAX: usize = HEADER_BYTES_MAX + HEADER_MAX;
