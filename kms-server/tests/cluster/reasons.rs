//! Every refusal names its reason and never quotes the request: also what gRPC itself refuses,
//! before a handler sees it. Below the client library and tonic, which would send none of this.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kms_client::identity::IdentityDir;
use kms_client::identity::spki_sha256;
use kms_client::tls::{join_client_config, server_name};
use prost::Message;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use ward_proto::v1::EncryptRequest;

use crate::harness::Cluster;
use crate::strangers::as_operator;

const ENCRYPT: &str = "/ward.v1.CryptoService/Encrypt";

/// What a request says in every place that it has; no answer may hold it.
const CANARY: &str = "canary-Mustermann";

/// What came back: the HTTP status, the reason, and all of it as text.
struct Refusal {
    status: StatusCode,
    reason: Option<String>,
    text: String,
}

/// A connection that sends requests as they are.
async fn connect(address: &str, config: rustls::ClientConfig) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let tls = TlsConnector::from(Arc::new(config));
    let stream = tls.connect(server_name(), stream).await.unwrap();
    let (requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    // It ends with the sender of its requests.
    drop(sys::task::spawn("connection", connection));
    requests
}

async fn send(requests: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Refusal {
    requests.ready().await.unwrap();
    let answer = requests.send_request(request).await.unwrap();
    let reason = answer.headers().get("ward-reason");
    Refusal {
        status: answer.status(),
        reason: reason.map(|reason| reason.to_str().unwrap().to_owned()),
        text: format!("{:?}", answer.headers()),
    }
}

/// One gRPC message: not compressed, this long, these bytes.
fn message(bytes: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(bytes);
    framed
}

fn encrypt(plaintext: Vec<u8>) -> Vec<u8> {
    let request = EncryptRequest {
        plaintext: plaintext.into(),
        ..EncryptRequest::default()
    };
    message(&request.encode_to_vec())
}

/// A well-formed call of Encrypt, to be spoilt in one place.
fn call(path: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("https://node.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("note", CANARY)
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

fn with_header(name: &'static str, value: &str) -> Request<Full<Bytes>> {
    let mut request = call(ENCRYPT, encrypt(CANARY.into()));
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// Every way to be refused before a handler, with the reason that it gets.
fn malformed() -> Vec<(&'static str, Request<Full<Bytes>>, &'static str)> {
    let canary = || encrypt(CANARY.into());
    let invalid = "INVALID_ARGUMENT";
    let mut get = call(ENCRYPT, Vec::new());
    *get.method_mut() = Method::GET;
    let compressed = [&[1], &canary()[1..]].concat();
    let cut = canary()[..20].to_vec();
    let no_utf8 = message(&[0x0a, 0x04, 0x12, 0x02, 0xff, 0xfe]);
    let unknown_service = format!("/{CANARY}.Service/Encrypt");
    let unknown_verb = format!("/ward.v1.CryptoService/{CANARY}");
    vec![
        ("a get", get, invalid),
        (
            "json",
            with_header("content-type", "application/json"),
            invalid,
        ),
        (
            "much metadata",
            with_header("note", &CANARY.repeat(1_200)),
            invalid,
        ),
        (
            "a large message",
            call(ENCRYPT, encrypt(CANARY.repeat(10_000).into())),
            invalid,
        ),
        (
            "no protobuf",
            call(ENCRYPT, message(CANARY.as_bytes())),
            invalid,
        ),
        ("no text", call(ENCRYPT, no_utf8), invalid),
        ("no message", call(ENCRYPT, Vec::new()), invalid),
        ("a cut message", call(ENCRYPT, cut), invalid),
        ("a compressed message", call(ENCRYPT, compressed), invalid),
        (
            "an encoding",
            with_header("grpc-encoding", CANARY),
            "VERSION_NEWER",
        ),
        (
            "a service",
            call(&unknown_service, canary()),
            "VERSION_NEWER",
        ),
        ("a verb", call(&unknown_verb, canary()), "VERSION_NEWER"),
        ("no time", with_header("grpc-timeout", "1n"), "DEADLINE"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_before_a_handler_names_its_reason_and_quotes_nothing() {
    let cluster = Cluster::of_one().await;
    let listen = &cluster.nodes[0].file.listen;
    let mut api = connect(&listen.api, as_operator(&cluster)).await;
    for (what, request, expected) in malformed() {
        let refusal = send(&mut api, request).await;
        assert_eq!(
            refusal.reason.as_deref(),
            Some(expected),
            "{what}: {}",
            refusal.text
        );
        assert!(!refusal.text.contains("canary"), "{what}: {}", refusal.text);
        assert!(refusal.text.contains("grpc-message"), "{what}: no sentence");
    }
    // Positive control: the same call unspoilt reaches its handler, which misses the key.
    let whole = send(&mut api, call(ENCRYPT, encrypt(CANARY.into()))).await;
    assert_eq!(whole.reason.as_deref(), Some("INVALID_ARGUMENT"));
    assert!(whole.text.contains("name%20a%20key"), "{}", whole.text);

    // Beyond what the transport reads there is no place for a reason, but still an answer.
    let beyond = send(&mut api, with_header("note", &"x".repeat(40_000))).await;
    let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    assert_eq!((beyond.status, beyond.reason), (too_large, None));

    // The listener for joiners knows the verb and does not serve it.
    let operator = IdentityDir::new(cluster.dir.path().join("operator")).load();
    let authority = spki_sha256(&operator.unwrap().ca()[0]).unwrap();
    let mut join = connect(&listen.join, join_client_config(authority).unwrap()).await;
    let elsewhere = send(&mut join, call(ENCRYPT, encrypt(CANARY.into()))).await;
    assert_eq!(elsewhere.reason.as_deref(), Some("VERSION_NEWER"));
    let large = CANARY.repeat(2_000).into_bytes();
    let large = call("/ward.v1.JoinService/Join", message(&large));
    let refusal = send(&mut join, large).await;
    assert_eq!(
        refusal.reason.as_deref(),
        Some("INVALID_ARGUMENT"),
        "{}",
        refusal.text
    );
    cluster.stop().await;
}
