//! Streams sealed and opened with a key source of the test's own.

use std::pin::Pin;
use std::task::{Context, Poll};

use envelope::blob::{self, Purpose};
use envelope::context::{EncryptionContext, reserved};
use envelope::id::{DataKeyId, KeyId, KeyVersion};
use envelope::secret::SecretKey;
use tokio::io::{AsyncRead, ReadBuf};

use super::open::open_with;
use super::seal::seal_under;
use crate::Result;
use crate::archive::DataKeySource;
use crate::error::Error;
use crate::model::DataKey;
use crate::reason::Reason;

/// A key of the cluster, in the test's hands.
struct Keys {
    key_id: KeyId,
    secret: SecretKey,
}

impl Keys {
    fn new() -> Self {
        Self {
            key_id: KeyId::random(),
            secret: SecretKey::generate(),
        }
    }

    fn data_key(&self, given: &EncryptionContext) -> DataKey {
        let id = DataKeyId::random();
        let secret = SecretKey::generate();
        let mut context = given.clone();
        context
            .insert_reserved(reserved::DATA_KEY, id.to_string())
            .unwrap();
        context.insert_reserved(reserved::KIND, "stream").unwrap();
        let purpose = Purpose::WrappedDataKey;
        let version = KeyVersion(1);
        let wrapped = blob::seal(
            &self.secret,
            self.key_id,
            version,
            purpose,
            &context,
            secret.expose(),
        );
        DataKey {
            id,
            secret,
            wrapped: wrapped.unwrap(),
            context,
        }
    }
}

impl DataKeySource for Keys {
    async fn unwrap_data_key(
        &self,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> Result<SecretKey> {
        if blob::BlobHeader::parse(wrapped)?.key_id != self.key_id {
            return Err(Error::new(Reason::KeyNotFound, "no such key"));
        }
        let opened = blob::open(&self.secret, Purpose::WrappedDataKey, context, wrapped)?;
        Ok(SecretKey::from_slice(opened.expose())?)
    }
}

/// Gives its bytes in pieces of a few, as a pipe may.
struct Dribble<'a>(&'a [u8], usize);

impl AsyncRead for Dribble<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let take = self.1.min(self.0.len()).min(buffer.remaining());
        let (now, later) = self.0.split_at(take);
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    for (key, value) in pairs {
        context.insert(*key, *value).unwrap();
    }
    context
}

async fn sealed(keys: &Keys, given: &EncryptionContext, plaintext: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = seal_under(keys.data_key(given), plaintext, &mut out)
        .await
        .unwrap();
    assert_eq!(bytes, plaintext.len() as u64);
    out
}

/// Opens; answers the outcome and what was written.
async fn opened(keys: &Keys, given: &EncryptionContext, sealed: &[u8]) -> (Result<u64>, Vec<u8>) {
    let mut out = Vec::new();
    let result = open_with(keys, given, sealed, &mut out).await;
    (result, out)
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn streams_of_every_size_come_back_in_pieces_of_any_size() {
    let keys = Keys::new();
    let given = context(&[("study", "a")]);
    for bytes in [0, 1, 16_383, 16_384, 16_385, 65_536, 200_000] {
        let plaintext = noise(bytes);
        let stream = sealed(&keys, &given, &plaintext).await;
        for piece in [7, 4096, usize::MAX] {
            let mut out = Vec::new();
            let reader = Dribble(&stream, piece);
            let answered = open_with(&keys, &given, reader, &mut out).await.unwrap();
            assert_eq!(answered, bytes as u64);
            assert!(out == plaintext, "{bytes} bytes in pieces of {piece}");
        }
    }
}

#[tokio::test]
async fn only_the_whole_context_opens() {
    let keys = Keys::new();
    let given = context(&[("a", "1"), ("b", "2")]);
    let stream = sealed(&keys, &given, b"x").await;
    opened(&keys, &given, &stream).await.0.unwrap();
    for pairs in [
        &[][..],
        &[("a", "1")],
        &[("a", "2"), ("b", "2")],
        &[("a", "1"), ("b", "2"), ("c", "3")],
    ] {
        let (result, out) = opened(&keys, &context(pairs), &stream).await;
        assert_eq!(result.unwrap_err().reason(), Reason::OpenFailed);
        assert!(out.is_empty());
    }
}

#[tokio::test]
async fn every_changed_byte_and_every_cut_is_one_refusal() {
    let keys = Keys::new();
    let given = context(&[("a", "1")]);
    let plaintext = noise(20_000);
    let stream = sealed(&keys, &given, &plaintext).await;
    let front = 400;
    let chunk_edges = [
        stream.len() - 1,
        stream.len() - 17,
        stream.len() - 3617,
        stream.len() - 3700,
    ];
    for at in (0..front).chain(chunk_edges) {
        let mut changed = stream.clone();
        changed[at] ^= 0x10;
        refused(&keys, &given, &changed, &plaintext).await;
    }
    for cut in (0..front).chain(chunk_edges) {
        refused(&keys, &given, &stream[..cut], &plaintext).await;
    }
    let longer = [stream.as_slice(), b"x"].concat();
    refused(&keys, &given, &longer, &plaintext).await;
}

async fn refused(keys: &Keys, given: &EncryptionContext, stream: &[u8], plaintext: &[u8]) {
    let (result, out) = opened(keys, given, stream).await;
    assert_eq!(result.unwrap_err().reason(), Reason::OpenFailed);
    assert!(
        plaintext.starts_with(&out) && out.len() < plaintext.len(),
        "{} bytes out",
        out.len()
    );
}

#[tokio::test]
async fn another_key_and_what_is_no_stream_are_refused() {
    let keys = Keys::new();
    let stream = sealed(&keys, &EncryptionContext::new(), b"x").await;
    for (keys, stream) in [
        (&Keys::new(), stream.as_slice()),
        (&keys, b""),
        (&keys, b"WSTR"),
        (&keys, b"plain text, and a lot of it"),
    ] {
        let (result, out) = opened(keys, &EncryptionContext::new(), stream).await;
        assert_eq!(result.unwrap_err().reason(), Reason::OpenFailed);
        assert!(out.is_empty());
    }
}

#[tokio::test]
async fn a_reader_or_writer_that_fails_is_named() {
    let keys = Keys::new();
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let writer = failing_writer(full);
    let given = EncryptionContext::new();
    let error = seal_under(keys.data_key(&given), b"x".as_slice(), writer)
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::StorageFull);
    assert!(error.message().contains("discard it"), "{error}");
}

/// A writer whose every write fails so.
fn failing_writer(error: std::io::Error) -> impl tokio::io::AsyncWrite + Unpin {
    struct Failing(Option<std::io::Error>);
    impl tokio::io::AsyncWrite for Failing {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _bytes: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            Poll::Ready(Err(self.0.take().unwrap()))
        }
        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    Failing(Some(error))
}
