//! HTTP below the client library, which would send none of what is wrong, and plain sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kms_client::tls::server_name;
use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use crate::wait::DEADLINE;

/// A connection that sends requests as they are.
///
/// # Panics
/// When the listener does not take it.
pub async fn connect(address: &str, config: ClientConfig) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(address).await;
    let tls = TlsConnector::from(Arc::new(config));
    let stream = tls
        .connect(server_name(), stream.expect("it listens"))
        .await;
    let stream = TokioIo::new(stream.expect("an identity of the cluster"));
    let made = handshake(TokioExecutor::new(), stream).await;
    let (requests, connection) = made.expect("HTTP/2");
    // It ends with the sender of its requests.
    drop(sys::task::spawn("connection", connection));
    requests
}

/// A gRPC call of `path`, to be spoilt in one place.
///
/// # Panics
/// When the path is none.
pub fn call(path: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("https://node.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from(body)))
        .expect("a request")
}

/// What came back of a request.
pub struct Answer {
    /// The status of HTTP; `None` when it was cut off before.
    pub status: Option<StatusCode>,
    /// Everything: status, headers, body and trailers, or the error.
    pub said: Vec<u8>,
}

impl Answer {
    /// The reason that a refusal names.
    pub fn reason(&self) -> Option<String> {
        let said = String::from_utf8_lossy(&self.said);
        let (_, behind) = said.split_once("\"ward-reason\": \"")?;
        Some(behind.split('"').next()?.to_owned())
    }
}

/// Sends a request as it is.
///
/// # Panics
/// When the connection has ended before: nothing would be asked.
pub async fn say(requests: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Answer {
    requests.ready().await.expect("the connection is open");
    match requests.send_request(request).await {
        Err(error) => Answer {
            status: None,
            said: format!("{error} {error:?}").into_bytes(),
        },
        Ok(answer) => {
            let status = Some(answer.status());
            let mut said = format!("{} {:?}\n", answer.status(), answer.headers()).into_bytes();
            match answer.into_body().collect().await {
                Ok(body) => {
                    said.extend(format!("{:?}\n", body.trailers()).into_bytes());
                    said.extend(body.to_bytes());
                }
                Err(error) => said.extend(format!("{error} {error:?}").into_bytes()),
            }
            Answer { status, said }
        }
    }
}

/// One gRPC message: not compressed, this long, these bytes.
///
/// # Panics
/// When it is longer than gRPC can say.
pub fn message(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short enough");
    [&[0], &length.to_be_bytes()[..], bytes].concat()
}

/// A field of a protocol buffer with these bytes.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

/// Sends bytes over a connection of their own, which the other side has to end; what comes back.
///
/// # Panics
/// When nobody listens, or the connection stays.
pub fn plain(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    // This direction is not ended: HTTP may give no answer to who has gone half away. Being cut
    // off is one of the answers.
    drop(stream.write_all(bytes));
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(error.kind() != ErrorKind::WouldBlock, "{address} keeps it");
    }
    answer
}
