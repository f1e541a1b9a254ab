//! Metrics and health, on a port of their own and on the control runtime: `/metrics`, `/live`,
//! `/ready`. Started by `run`.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::OPS_CONNECTIONS_MAX;

/// How far the gateway is, as `/ready` tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct State(Arc<AtomicU8>);

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

impl State {
    /// Every listener is bound and every certificate is there.
    pub(crate) fn ready(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// Nothing new is accepted.
    pub(crate) fn stopping(&self) {
        self.0.store(STOPPING, Ordering::Release);
    }

    fn answer(&self) -> (StatusCode, &'static str) {
        match self.0.load(Ordering::Acquire) {
            STARTING => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            READY => (StatusCode::OK, "ready\n"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        }
    }
}

/// Serves in the background, until the control runtime ends.
///
/// # Errors
/// The listener cannot be taken over.
pub(crate) fn serve(listener: std::net::TcpListener, state: State) -> io::Result<()> {
    let listener = Bounded {
        listener: TcpListener::from_std(listener)?,
        places: Arc::new(Semaphore::new(OPS_CONNECTIONS_MAX)),
    };
    let recorder = recorder();
    let app = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(move || async move { state.answer() }))
        .route("/metrics", get(move || async move { recorder.render() }));
    sys::task::spawn("ops", async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "metrics and health are not served any more");
        }
    });
    Ok(())
}

/// The process has one recorder, however many gateways a test starts in it.
fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder is installed; /metrics stays empty");
        }
        handle
    };
    HANDLE.get_or_init(install).clone()
}

/// A listener that has so many connections at most.
struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

/// A connection that holds its place.
struct Placed {
    tcp: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
}

impl axum::serve::Listener for Bounded {
    type Io = Placed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Placed, SocketAddr) {
        // Never closed, so there is always a place in the end.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let accepted = crate::accept::next(&self.listener).await;
        (
            Placed {
                tcp: accepted.tcp,
                _place: place,
            },
            accepted.source,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl tokio::io::AsyncRead for Placed {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        place: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.tcp).poll_read(context, place)
    }
}

impl tokio::io::AsyncWrite for Placed {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
