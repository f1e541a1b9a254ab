//! What TLS said when a connection failed. gRPC reports only "broken"; with TLS 1.3 a refused
//! client certificate even shows after the connection seemed to stand.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rustls::{AlertDescription, CertificateError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::identity::CertificateFacts;
use crate::reason::Reason;

/// The last TLS error on the way to one node; shared by its connections.
#[derive(Debug, Clone, Default)]
pub(super) struct FaultCell(Arc<Mutex<Option<rustls::Error>>>);

impl FaultCell {
    /// Forgets; called as a new connection begins.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Keeps the first TLS error of a connection: what follows is only its echo.
    pub(super) fn record(&self, error: &io::Error) {
        if let Some(tls) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            let mut cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            cell.get_or_insert_with(|| tls.clone());
        }
    }

    /// Tells why the node and this client do not trust each other, if that is the trouble.
    pub(super) fn verdict(&self, own: Option<&CertificateFacts>) -> Option<Verdict> {
        let error = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let now = sys::clock::wall_ms();
        judge(&error, own.is_some_and(|own| own.is_expired(now)))
    }
}

/// Whose certificate the other side does not accept, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    OwnExpired,
    OwnForeign,
    OwnMissing,
    NodeExpired,
    NodeForeign,
}

impl Verdict {
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::OwnExpired | Self::NodeExpired => Reason::CertificateExpired,
            Self::OwnForeign | Self::NodeForeign => Reason::CertificateForeign,
            Self::OwnMissing => Reason::Unauthenticated,
        }
    }

    /// What it is, and what to do.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::OwnExpired => {
                "this identity's certificate has expired; check the clock, or join again"
            }
            Self::OwnForeign => {
                "the node refuses this identity's certificate: it is of another cluster, of \
                 another role, or revoked; use the identity folder of this cluster, or join again"
            }
            Self::OwnMissing => {
                "the node demands a certificate; use an identity folder of this cluster"
            }
            Self::NodeExpired => {
                "the node's certificate has expired; it renews by itself once most nodes run, \
                 unsealed, so see that they do, and check the clocks of both"
            }
            Self::NodeForeign => {
                "whoever answers there is not the expected node of this cluster; check the \
                 address and the identity folder"
            }
        }
    }

    /// Whether the same node may be accepted a moment later: after a year without power it takes
    /// an election until nodes have renewed their certificates.
    pub(super) fn node_may_renew(self) -> bool {
        self == Self::NodeExpired
    }
}

fn judge(error: &rustls::Error, own_expired: bool) -> Option<Verdict> {
    if let rustls::Error::AlertReceived(alert) = error {
        return judge_alert(*alert, own_expired);
    }
    let rustls::Error::InvalidCertificate(refused) = error else {
        return None;
    };
    let dates = matches!(
        refused,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    );
    if dates {
        return Some(Verdict::NodeExpired);
    }
    Some(Verdict::NodeForeign)
}

fn judge_alert(alert: AlertDescription, own_expired: bool) -> Option<Verdict> {
    if alert == AlertDescription::CertificateRequired {
        return Some(Verdict::OwnMissing);
    }
    let about_the_certificate = [
        AlertDescription::AccessDenied,
        AlertDescription::BadCertificate,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateUnknown,
        AlertDescription::DecryptError,
        AlertDescription::UnknownCA,
        AlertDescription::UnsupportedCertificate,
    ];
    if !about_the_certificate.contains(&alert) {
        return None;
    }
    if own_expired || alert == AlertDescription::CertificateExpired {
        return Some(Verdict::OwnExpired);
    }
    Some(Verdict::OwnForeign)
}

/// A TLS stream that remembers its error.
pub(super) struct Watched<S> {
    stream: S,
    fault: FaultCell,
}

impl<S: AsyncRead + Unpin> Watched<S> {
    pub(super) fn new(stream: S, fault: FaultCell) -> Self {
        Self { stream, fault }
    }

    fn noted<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result {
            self.fault.record(error);
        }
        result
    }

    /// After a failed write, reads once more: the peer's alert may still be waiting there, and
    /// the connection is not read again.
    fn look_for_alert(&mut self, cx: &mut Context<'_>) {
        let mut scratch = [0; 1024];
        let mut buffer = ReadBuf::new(&mut scratch);
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            self.fault.record(&error);
        }
    }

    fn after_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if matches!(result, Poll::Ready(Err(_))) {
            self.look_for_alert(cx);
        }
        self.noted(result)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.noted(result)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.after_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.after_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.after_write(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: rustls::Error, own_expired: bool, expected: Option<Reason>) {
        assert_eq!(
            judge(&error, own_expired).map(Verdict::reason),
            expected,
            "{error}"
        );
    }

    #[test]
    fn alerts_about_our_certificate_are_told_apart() {
        use AlertDescription as Alert;
        let received = rustls::Error::AlertReceived;
        check(
            received(Alert::CertificateExpired),
            false,
            Some(Reason::CertificateExpired),
        );
        check(
            received(Alert::UnknownCA),
            true,
            Some(Reason::CertificateExpired),
        );
        check(
            received(Alert::UnknownCA),
            false,
            Some(Reason::CertificateForeign),
        );
        check(
            received(Alert::DecryptError),
            false,
            Some(Reason::CertificateForeign),
        );
        check(
            received(Alert::CertificateUnknown),
            false,
            Some(Reason::CertificateForeign),
        );
        check(
            received(Alert::CertificateRequired),
            false,
            Some(Reason::Unauthenticated),
        );
        check(received(Alert::InternalError), false, None);
        check(received(Alert::CloseNotify), true, None);
    }

    #[test]
    fn our_refusals_of_a_node_are_told_apart() {
        let refused = rustls::Error::InvalidCertificate;
        check(
            refused(CertificateError::Expired),
            false,
            Some(Reason::CertificateExpired),
        );
        check(
            refused(CertificateError::NotValidYet),
            false,
            Some(Reason::CertificateExpired),
        );
        check(
            refused(CertificateError::UnknownIssuer),
            false,
            Some(Reason::CertificateForeign),
        );
        check(
            refused(CertificateError::BadSignature),
            true,
            Some(Reason::CertificateForeign),
        );
        check(rustls::Error::DecryptError, true, None);
    }

    #[test]
    fn the_first_tls_error_stays_and_others_do_not_count() {
        let cell = FaultCell::default();
        let authority = crate::testing::Authority::new("ward.test");
        let own = authority
            .identity(crate::identity::Role::App, "a")
            .facts()
            .clone();
        cell.record(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(cell.verdict(Some(&own)).is_none());
        let alert = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
        cell.record(&io::Error::new(io::ErrorKind::InvalidData, alert));
        let echo = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        cell.record(&io::Error::new(io::ErrorKind::InvalidData, echo));
        assert_eq!(cell.verdict(Some(&own)), Some(Verdict::OwnForeign));
        cell.clear();
        assert!(cell.verdict(Some(&own)).is_none());
    }
}
