//! Canaries where nothing of the kind belongs: calls, connections, frames and words that are wrong.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use kms_client::identity::{IdentityDir, Role, spki_sha256};
use kms_client::tls::{ALPN_H2, ExpectedPeer, client_config, join_client_config};

use super::{End, Field, uses};
use crate::canary::Kind;
use crate::{dicom, raw};

const ENCRYPT: &str = "/ward.v1.CryptoService/Encrypt";
const DECRYPT: &str = "/ward.v1.CryptoService/Decrypt";
const JOIN: &str = "/ward.v1.JoinService/Join";

/// What the client library would not send, to every node, and to the join listeners.
pub(super) async fn calls(field: &mut Field, operator: &IdentityDir, key: &str) {
    let identity = operator.load().expect("the operator's identity");
    let authority = spki_sha256(&identity.ca()[0]).expect("a certificate");
    for endpoint in field.endpoints.clone() {
        let nodes = ExpectedPeer::of(identity.id().trust_domain(), &[Role::Node]);
        let config = client_config(&identity, nodes, ALPN_H2).expect("an authority");
        let mut api = raw::connect(&endpoint.api, config).await;
        let mut spoilt = spoilt_heads(field, key);
        spoilt.extend(spoilt_messages(field, key));
        for (what, request) in spoilt {
            let answer = raw::say(&mut api, request).await;
            field.answered(format!("{}: {what}", endpoint.node_id), answer);
        }
        let join = endpoint.join.expect("a join listener");
        let config = join_client_config(authority).expect("a digest");
        let mut join = raw::connect(&join, config).await;
        for (what, request) in joins(field) {
            let answer = raw::say(&mut join, request).await;
            field.answered(format!("{}: {what}", endpoint.node_id), answer);
        }
    }
}

type Call = (&'static str, Request<Full<Bytes>>);

/// Calls of the API, each wrong in what stands before the message.
fn spoilt_heads(field: &mut Field, key: &str) -> Vec<Call> {
    let mut canary = |what| field.canaries.text(what, Kind::Secret);
    let mut get = raw::call(ENCRYPT, Vec::new());
    *get.method_mut() = Method::GET;
    *get.uri_mut() = uri(&format!("{ENCRYPT}?plaintext={}", canary("query")));
    let mut json = encrypt(key, &canary("json"));
    set(&mut json, "content-type", "application/json");
    let mut encoded = encrypt(key, &canary("encoded"));
    set(&mut encoded, "grpc-encoding", &canary("encoding"));
    let mut noted = encrypt(key, &canary("noted"));
    let bearer = format!("Bearer {}", canary("bearer"));
    set(&mut noted, "authorization", &bearer);
    set(&mut noted, "note-bin", &canary("binary-note"));
    let mut hasty = encrypt(key, &canary("hasty"));
    set(&mut hasty, "grpc-timeout", "1n");
    let mut untimely = encrypt(key, &canary("untimely"));
    set(&mut untimely, "grpc-timeout", &canary("timeout"));
    let mut heavy = encrypt(key, &canary("heavy"));
    set(&mut heavy, "note", &canary("metadata").repeat(800));
    let verb = format!("/ward.v1.CryptoService/{}", canary("verb"));
    let service = format!("/{}/Encrypt", canary("service"));
    vec![
        ("a get", get),
        ("json", json),
        ("an encoding", encoded),
        ("metadata", noted),
        ("no time", hasty),
        ("a time that is none", untimely),
        ("much metadata", heavy),
        ("a verb", raw::call(&verb, Vec::new())),
        ("a service", raw::call(&service, Vec::new())),
    ]
}

/// Calls of the API whose message is wrong.
fn spoilt_messages(field: &mut Field, key: &str) -> Vec<Call> {
    let odd_name = field.canaries.text("NAME", Kind::Name);
    let mut canary = |what| field.canaries.text(what, Kind::Secret);
    let call = |body: &[u8]| raw::call(ENCRYPT, raw::message(body));
    let name = |bytes: &[u8]| raw::field(1, &raw::field(2, bytes));
    let cut = raw::message(&raw::field(2, canary("cut").repeat(9).as_bytes()));
    // A field that says more than follows, and a text that is no UTF-8.
    let torn = [&[0x12, 0x7f], canary("undecodable").as_bytes()].concat();
    let latin = [canary("latin").as_bytes(), &[0xff, 0xfe]].concat();
    let reserved = raw::field(2, canary("reserved").as_bytes());
    let pair = raw::field(3, &[raw::field(1, b"ward:kind"), reserved].concat());
    let blob = raw::message(&raw::field(1, canary("blob").as_bytes()));
    let unframed = canary("unframed").into_bytes();
    vec![
        ("a cut message", raw::call(ENCRYPT, cut[..60].to_vec())),
        ("undecodable", call(&torn)),
        ("a name that is no text", call(&name(&latin))),
        ("a name that is none", call(&name(odd_name.as_bytes()))),
        ("no gRPC frame", raw::call(ENCRYPT, unframed)),
        (
            "a large message",
            encrypt(key, &canary("large").repeat(10_000)),
        ),
        (
            "a long plaintext",
            encrypt(key, &canary("long").repeat(300)),
        ),
        (
            "a reserved pair",
            call(&[name(key.as_bytes()), pair].concat()),
        ),
        ("no blob", raw::call(DECRYPT, blob)),
    ]
}

/// A call of Encrypt that is well formed.
fn encrypt(key: &str, text: &str) -> Request<Full<Bytes>> {
    let name = raw::field(1, &raw::field(2, key.as_bytes()));
    let body = [name, raw::field(2, text.as_bytes())].concat();
    raw::call(ENCRYPT, raw::message(&body))
}

/// Calls of the join listener, where strangers are.
fn joins(field: &mut Field) -> Vec<Call> {
    let mut canary = |what| field.canaries.text(what, Kind::Secret);
    let token = |text: String| raw::message(&raw::field(1, text.as_bytes()));
    let request = [
        raw::field(1, canary("token").as_bytes()),
        raw::field(2, canary("csr").as_bytes()),
    ];
    vec![
        (
            "a token that is none",
            raw::call(JOIN, token(canary("token"))),
        ),
        (
            "a torn token",
            raw::call(JOIN, token(format!("wardj1.{}", canary("token")))),
        ),
        (
            "a request that is none",
            raw::call(JOIN, raw::message(&request.concat())),
        ),
        (
            "a large join",
            raw::call(JOIN, token(canary("token").repeat(2_000))),
        ),
        (
            "a verb of others",
            raw::call(
                ENCRYPT,
                raw::message(&raw::field(2, canary("plaintext").as_bytes())),
            ),
        ),
    ]
}

fn set(request: &mut Request<Full<Bytes>>, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("letters and digits");
    request.headers_mut().insert(name, value);
}

fn uri(path: &str) -> http::Uri {
    format!("https://node.test{path}").parse().expect("a path")
}

/// Plain text where TLS is spoken, and HTTP that is none where pages are.
pub(super) fn sockets(field: &mut Field) {
    let listeners = super::gather::listeners(field);
    field.controls.listeners = listeners.len();
    for (name, address) in listeners {
        for form in [
            "plain\r\n\r\n",
            "GET /plain HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
            "POST /metrics HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\
             content-length: 22\r\n\r\nplain",
        ] {
            let text = field.canaries.text("plain", Kind::Secret);
            let said = raw::plain(address, form.replace("plain", &text).as_bytes());
            field.controls.plain += 1;
            if said.is_empty() {
                let form = form.lines().next().unwrap_or_default();
                field.controls.silent.push(format!("{name}: {form}"));
            }
            field.says("answers", format!("{name}: plain text"), said);
        }
    }
}

/// Frames of devices that are none, and one that never ends.
pub(super) fn frames(field: &mut Field) {
    let mut canary = |what| field.canaries.text(what, Kind::Secret);
    let framed = |text: String| [b"\x0b", text.as_bytes(), b"\x1c\r"].concat();
    let hl7 = [
        canary("unframed").into_bytes(),
        framed(canary("no-header")),
        framed(format!("MSH|^~\\&|{}", "|".repeat(5)) + &canary("control")),
        [
            framed(canary("first")),
            canary("between").into_bytes(),
            vec![0x1c],
        ]
        .concat(),
        [b"\x0b", canary("endless").repeat(4_000).as_bytes()].concat(),
    ];
    let long = u32::MAX.to_be_bytes();
    let dicom = [
        canary("no-pdu").into_bytes(),
        [&[1, 0], &long[..], canary("long-pdu").as_bytes()].concat(),
        dicom::pdu(1, canary("association").as_bytes()),
        [
            &dicom::unanswered("x")[..],
            &dicom::pdu(4, canary("no-value").as_bytes()),
        ]
        .concat(),
        dicom::pdu(0x99, canary("unknown-pdu").as_bytes()),
    ];
    for bytes in hl7 {
        uses::give(field.doors.hl7, &bytes);
    }
    for bytes in dicom {
        uses::give(field.doors.dicom, &bytes);
    }
}

/// Words of the command line that are wrong beside a secret that is right.
pub(super) fn words(field: &mut Field, key: &str) {
    let token = format!("wardj1.{}", field.canaries.text("token", Kind::Secret));
    let hash = "ab".repeat(32);
    for words in [
        // No port, no digest, an option too many, no folder.
        vec![
            "enroll",
            "--endpoint",
            "kms",
            "--ca-sha256",
            &hash,
            "--token",
            &token,
            "--out",
            "d",
        ],
        vec![
            "enroll",
            "--endpoint",
            "kms:1",
            "--ca-sha256",
            "x",
            "--token",
            &token,
            "--out",
            "d",
        ],
        vec!["enroll", "--token", &token, "--endpoint", "kms:1", "--what"],
        vec!["enroll", "--token", &token],
        vec!["enroll", "--token", &token, "--token", &token],
        // The option's name forgotten, or put together wrongly.
        vec!["enroll", &token],
        vec!["enroll", "--tokn", &token],
        vec!["enroll", "--role", &token],
    ] {
        field.ward_all(End::Misused, &words, b"");
    }
    let text = field.canaries.text("plaintext", Kind::Secret);
    for words in [
        vec!["encrypt", "--key", key, &text],
        vec!["encrypt", "--key", key, "--context", &text],
        vec!["decrypt", &text],
    ] {
        field.ward_all(End::Misused, &words, text.as_bytes());
    }
}
