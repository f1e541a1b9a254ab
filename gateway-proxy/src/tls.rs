//! A tunnel's TLS session: a rustls connection driven directly, without a stream around it.
//! Records are opened where they were read and sealed into the bytes that are sent.
//! The tunnel owns one; the handshake is in [`crate::tunnel::handshake`].

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the states are rustls's own, and more may come"
)]

use std::ops::DerefMut;
use std::sync::Arc;

use kms_client::identity::CertificateFacts;
use kms_client::tls::{ALPN_TUNNEL, peer_facts, server_name};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedConnectionCommon,
    UnbufferedStatus,
};
use rustls::{ClientConfig, CommonState, ServerConfig};

use crate::buffers::Buffer;
use crate::limits::RECORD_PLAINTEXT_BYTES;

/// One end of a TLS session.
pub struct Session {
    end: End,
}

enum End {
    // Boxed: the larger of the two would otherwise set the size of every tunnel.
    Edge(Box<UnbufferedClientConnection>),
    Core(Box<UnbufferedServerConnection>),
}

/// Where a session stands after it was given bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It needs more bytes of the peer before it can carry data.
    Handshaking,
    /// It carries data.
    Established,
    /// The peer said close_notify.
    Closed,
}

/// What a session made of the bytes it was given.
#[derive(Debug)]
pub struct Received {
    /// Bytes it is done with. The rest belongs in front of the next ones.
    pub used: usize,
    /// Where it stands.
    pub progress: Progress,
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The peer broke the protocol, or is not who it must be, or refused us.
    #[error("TLS failed")]
    Protocol(#[from] rustls::Error),
    /// The peer's certificate has no identity of ours.
    #[error("the peer's certificate is not one of Ward")]
    Identity(#[from] kms_client::Error),
    /// The peer speaks another protocol inside TLS.
    #[error("the peer does not speak ward/1")]
    OtherProtocol,
    /// The session may not seal any more.
    #[error("the session's keys are used up")]
    Exhausted,
    /// The session is in a state that its configuration rules out.
    #[error("unexpected TLS state")]
    Unexpected,
}

impl Session {
    /// The connecting end.
    ///
    /// # Errors
    /// The configuration cannot make a connection.
    pub fn edge(config: Arc<ClientConfig>) -> Result<Self, TlsError> {
        let connection = UnbufferedClientConnection::new(config, server_name())?;
        Ok(Self {
            end: End::Edge(Box::new(connection)),
        })
    }

    /// The accepting end.
    ///
    /// # Errors
    /// The configuration cannot make a connection.
    pub fn core(config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(Self {
            end: End::Core(Box::new(connection)),
        })
    }

    /// Takes ciphertext. Each record's plaintext goes to `plain`, in order; what TLS itself has to
    /// say is appended to `out`.
    ///
    /// # Errors
    /// The session is over; an alert for the peer may be in `out`. An error of `plain` is given
    /// back as it is.
    pub fn receive<E: From<TlsError>>(
        &mut self,
        sealed: &mut [u8],
        out: &mut Buffer,
        plain: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Received, E> {
        match &mut self.end {
            End::Edge(connection) => receive(&mut **connection, sealed, out, plain),
            End::Core(connection) => receive(&mut **connection, sealed, out, plain),
        }
    }

    /// Seals `plain` into as few records as possible, appended to `out`. `unread` is what
    /// [`receive`](Self::receive) left over.
    ///
    /// # Errors
    /// The session is over.
    pub fn seal(
        &mut self,
        plain: &[u8],
        unread: &mut [u8],
        out: &mut Buffer,
    ) -> Result<(), TlsError> {
        match &mut self.end {
            End::Edge(connection) => seal(&mut **connection, plain, unread, out),
            End::Core(connection) => seal(&mut **connection, plain, unread, out),
        }
    }

    /// Appends close_notify to `out`.
    ///
    /// # Errors
    /// The session is over already.
    pub fn close(&mut self, unread: &mut [u8], out: &mut Buffer) -> Result<(), TlsError> {
        match &mut self.end {
            End::Edge(connection) => close(&mut **connection, unread, out),
            End::Core(connection) => close(&mut **connection, unread, out),
        }
    }

    /// Who the peer proved to be, once established.
    ///
    /// # Errors
    /// It proved nothing, or speaks another protocol.
    pub fn peer(&self) -> Result<CertificateFacts, TlsError> {
        let common: &CommonState = match &self.end {
            End::Edge(connection) => connection,
            End::Core(connection) => connection,
        };
        if common.alpn_protocol() != Some(ALPN_TUNNEL) {
            return Err(TlsError::OtherProtocol);
        }
        Ok(peer_facts(common.peer_certificates())?)
    }
}

impl From<EncryptError> for TlsError {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::EncryptExhausted => Self::Exhausted,
            EncryptError::InsufficientSize(_) => Self::Unexpected,
        }
    }
}

/// The one call that rustls has twice, once for each end.
trait Records: DerefMut<Target = UnbufferedConnectionCommon<Self::Data>> {
    type Data;

    fn process<'c, 'i>(&'c mut self, sealed: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Records for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, sealed: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(sealed)
    }
}

impl Records for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, sealed: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(sealed)
    }
}

fn receive<R: Records, E: From<TlsError>>(
    connection: &mut R,
    sealed: &mut [u8],
    out: &mut Buffer,
    mut plain: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Received, E> {
    let mut used = 0;
    let progress = loop {
        let status = connection.process(&mut sealed[used..]);
        used += status.discard;
        let state = match status.state {
            Ok(state) => state,
            Err(error) => {
                collect_alert(connection, &mut sealed[used..], out);
                return Err(TlsError::Protocol(error).into());
            }
        };
        match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record.map_err(TlsError::Protocol)?;
                    used += record.discard;
                    plain(record.payload)?;
                }
            }
            ConnectionState::EncodeTlsData(data) => encode(data, out)?,
            // Everything encoded is in `out`, which is sent in order and before any data.
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::BlockedHandshake => break Progress::Handshaking,
            ConnectionState::WriteTraffic(_) => break Progress::Established,
            ConnectionState::PeerClosed | ConnectionState::Closed => break Progress::Closed,
            other => return Err(unexpected(&other).into()),
        }
    };
    Ok(Received { used, progress })
}

fn seal<R: Records>(
    connection: &mut R,
    plain: &[u8],
    unread: &mut [u8],
    out: &mut Buffer,
) -> Result<(), TlsError> {
    let records = plain.len().div_ceil(RECORD_PLAINTEXT_BYTES);
    loop {
        match connection.process(unread).state? {
            ConnectionState::WriteTraffic(mut traffic) => {
                let mut room = plain.len() + records * RECORD_OVERHEAD_BYTES;
                loop {
                    match traffic.encrypt(plain, out.room(room)) {
                        // A key update goes first and needs its own room.
                        Err(EncryptError::InsufficientSize(size)) => room = size.required_size,
                        other => {
                            out.advance(other?);
                            return Ok(());
                        }
                    }
                }
            }
            ConnectionState::EncodeTlsData(data) => encode(data, out)?,
            ConnectionState::TransmitTlsData(data) => data.done(),
            other => return Err(unexpected(&other)),
        }
    }
}

fn close<R: Records>(
    connection: &mut R,
    unread: &mut [u8],
    out: &mut Buffer,
) -> Result<(), TlsError> {
    match connection.process(unread).state? {
        ConnectionState::WriteTraffic(mut traffic) => {
            let count = traffic.queue_close_notify(out.room(ALERT_BYTES_MAX))?;
            out.advance(count);
            Ok(())
        }
        other => Err(unexpected(&other)),
    }
}

/// After an error rustls has an alert for the peer; it is all that can still be sent.
fn collect_alert<R: Records>(connection: &mut R, sealed: &mut [u8], out: &mut Buffer) {
    if let Ok(ConnectionState::EncodeTlsData(data)) = connection.process(sealed).state {
        // The error that caused the alert is the one to be told.
        encode(data, out).unwrap_or_default();
    }
}

fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Buffer) -> Result<(), TlsError> {
    let mut room = RECORD_PLAINTEXT_BYTES;
    loop {
        match data.encode(out.room(room)) {
            Ok(count) => {
                out.advance(count);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(size)) => room = size.required_size,
            Err(EncodeError::AlreadyEncoded) => return Err(TlsError::Unexpected),
        }
    }
}

/// No early data is ever offered or accepted, and the other states belong to other calls.
fn unexpected<Data>(state: &ConnectionState<'_, '_, Data>) -> TlsError {
    tracing::warn!(?state, "unexpected TLS state");
    TlsError::Unexpected
}

/// Header, content type and tag of a TLS 1.3 record (RFC 8446 §5.2).
const RECORD_OVERHEAD_BYTES: usize = 5 + 1 + 16;

/// An alert in a record of its own.
const ALERT_BYTES_MAX: usize = 64;
