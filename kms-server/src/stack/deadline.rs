//! Ends a request that takes too long: after ten seconds, or the caller's own shorter time.
//!
//! Only the wait for the answer's beginning is bounded: a watch stream lives on.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use http::{HeaderMap, Request, Response};
use kms_client::reason::Reason;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::api::failure::Failure;
use crate::stack::refuse::{Waiting, response};

/// Bounds each request.
#[derive(Clone)]
pub(crate) struct DeadlineLayer {
    longest: Duration,
}

impl DeadlineLayer {
    /// Allows `longest`, whatever the caller asks for.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { longest }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline {
            inner,
            longest: self.longest,
        }
    }
}

/// The service of [`DeadlineLayer`].
#[derive(Clone)]
pub(crate) struct Deadline<S> {
    inner: S,
    longest: Duration,
}

impl<S> Service<Request<Body>> for Deadline<S>
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

    fn call(&mut self, request: Request<Body>) -> Waiting {
        let asked = grpc_timeout(request.headers()).unwrap_or(self.longest);
        let answer = tokio::time::timeout(asked.min(self.longest), self.inner.call(request));
        async move {
            answer.await.unwrap_or_else(|_elapsed| {
                let message = "no answer in time; a write may have happened, repeat it as it was";
                response(Failure::new(Reason::Deadline, message))
            })
        }
        .boxed()
    }
}

/// The `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").
/// A malformed one asks for nothing.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Duration>) {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        assert_eq!(grpc_timeout(&headers), expected, "{text}");
    }

    #[test]
    fn reads_the_units_of_grpc() {
        check("1H", Some(Duration::from_secs(3_600)));
        check("99999999S", Some(Duration::from_secs(99_999_999)));
        check("250m", Some(Duration::from_millis(250)));
        check("7u", Some(Duration::from_micros(7)));
    }

    #[test]
    fn ignores_what_is_malformed() {
        for text in ["", "S", "5", "123456789S", "-1S", "1.5S", "1s", "5é"] {
            let mut headers = HeaderMap::new();
            if let Ok(value) = http::HeaderValue::from_bytes(text.as_bytes()) {
                headers.insert("grpc-timeout", value);
                assert_eq!(grpc_timeout(&headers), None, "{text}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_becomes_a_refusal_and_another_passes() {
        async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            Ok(Response::new(Body::empty()))
        }
        let layer = DeadlineLayer::new(Duration::from_millis(20));
        let mut service = layer.layer(tower::service_fn(answer));
        let request = |path| Request::builder().uri(path).body(Body::empty()).unwrap();
        let late = service.call(request("/never")).await.unwrap();
        assert_eq!(late.headers()["ward-reason"], "DEADLINE");
        let early = service.call(request("/now")).await.unwrap();
        assert!(!early.headers().contains_key("ward-reason"));
    }
}
