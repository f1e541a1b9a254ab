//! A gRPC channel to one node over our own TLS connector. Made by the call loop, kept by
//! [`super::nodes`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::fault::{FaultCell, Watched};
use crate::error::Error;
use crate::identity::Identity;
use crate::limits::{CONNECT_MAX, PING_INTERVAL, PING_TIMEOUT};
use crate::reason::Reason;
use crate::tls;

/// A channel, and what TLS said when it failed.
#[derive(Clone)]
pub(super) struct NodeChannel {
    pub(super) channel: Channel,
    pub(super) fault: FaultCell,
    /// Who connects by it, whoever this client is by now; `None` who only joins.
    pub(super) own: Option<Arc<Identity>>,
    /// No other channel of this process has it.
    pub(super) number: u64,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Makes a channel that connects on its first use and again whenever the connection is gone.
pub(super) fn open(
    address: &str,
    config: Arc<ClientConfig>,
    own: Option<Arc<Identity>>,
) -> Result<NodeChannel, Error> {
    // The scheme says only that gRPC shall not do TLS itself: the connector does.
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
        let message = format!("{address:?} is not an address; write host:port");
        Error::new(Reason::InvalidArgument, message).with_source(error)
    })?;
    let endpoint = endpoint
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let fault = FaultCell::default();
    let connector = {
        let (address, fault) = (address.to_owned(), fault.clone());
        tower::service_fn(move |_| {
            let (address, fault) = (address.clone(), fault.clone());
            connect(address, Arc::clone(&config), fault)
        })
    };
    let channel = endpoint.connect_with_connector_lazy(connector);
    Ok(NodeChannel {
        channel,
        fault,
        own,
        number: NEXT.fetch_add(1, Ordering::Relaxed),
    })
}

async fn connect(
    address: String,
    config: Arc<ClientConfig>,
    fault: FaultCell,
) -> io::Result<TokioIo<Watched<TlsStream<TcpStream>>>> {
    fault.clear();
    let attempt = async {
        let tcp = TcpStream::connect(&address).await?;
        tcp.set_nodelay(true)?;
        TlsConnector::from(config)
            .connect(tls::server_name(), tcp)
            .await
    };
    let stream = match timeout(CONNECT_MAX, attempt).await {
        Ok(connected) => connected.inspect_err(|error| fault.record(error))?,
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    Ok(TokioIo::new(Watched::new(stream, fault)))
}
