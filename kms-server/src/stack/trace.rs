//! Gives each request a span and counts its outcome by verb and reason.
//!
//! A path that is no verb of the contract is refused here: it can have no label and no handler.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::FutureExt;
use http::{Request, Response};
use kms_client::reason::{REASON_METADATA, Reason};
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::api::failure::Failure;
use crate::stack::refuse::{Waiting, response};
use crate::stack::verb::Verb;

/// Counts and traces.
#[derive(Clone)]
pub(crate) struct TraceLayer;

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { inner }
    }
}

/// The service of [`TraceLayer`].
#[derive(Clone)]
pub(crate) struct Trace<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Trace<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Waiting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Waiting {
        let Some(verb) = Verb::of_path(request.uri().path()) else {
            let message = "this node has no such verb; is it older than the client?";
            let unknown = Failure::new(Reason::VersionNewer, message);
            return std::future::ready(response(unknown)).boxed();
        };
        request.extensions_mut().insert(verb);
        let began = sys::clock::monotonic();
        let span = tracing::info_span!("request", verb = verb.as_str());
        let answer = self.inner.call(request).instrument(span.clone());
        async move {
            let answer = answer.await?;
            let _entered = span.entered();
            record(verb, reason(&answer), began);
            Ok(answer)
        }
        .boxed()
    }
}

/// Counts and logs one answer.
pub(crate) fn record(verb: Verb, reason: &'static str, began: Instant) {
    let took = sys::clock::monotonic().duration_since(began);
    metrics::counter!("ward_requests_total", "verb" => verb.as_str(), "reason" => reason)
        .increment(1);
    metrics::histogram!("ward_request_seconds", "verb" => verb.as_str()).record(took.as_secs_f64());
    tracing::debug!(reason, took_us = took.as_micros(), "answered");
}

/// The reason's own static name, so that labels come from the list and never from a header.
fn reason(answer: &Response<Body>) -> &'static str {
    let header = answer.headers().get(REASON_METADATA);
    let known = header.and_then(|value| value.to_str().ok()?.parse::<Reason>().ok());
    match (known, answer.headers().get("grpc-status")) {
        (Some(reason), _) => reason.as_str(),
        (None, Some(status)) if status.as_bytes() != b"0" => "OTHER",
        (None, _) => "OK",
    }
}
