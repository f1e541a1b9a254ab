//! Refuses what is no gRPC request, and gives a reason to every refusal that lacks one.
//!
//! tonic decodes requests below the layers. What it refuses itself (a message that is too large or
//! does not parse, an encoding it lacks, a service it does not have) names no reason and may quote
//! the request. Here each becomes a refusal of ours, in the words of this file, so that nothing
//! leaves the API without something a machine can match.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{Either, Map};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Frame;
use kms_client::reason::{REASON_METADATA, Reason};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::api::failure::Failure;
use crate::limits::{HEADERS_BYTES_HARD_MAX, HEADERS_BYTES_MAX};
use crate::stack::refuse::{Answer, Checked, response};

/// Looks at the form of requests and refusals.
#[derive(Clone)]
pub(crate) struct FormLayer;

impl<S> Layer<S> for FormLayer {
    type Service = Form<S>;

    fn layer(&self, inner: S) -> Form<S> {
        Form { inner }
    }
}

/// The service of [`FormLayer`].
#[derive(Clone)]
pub(crate) struct Form<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Form<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Checked<Map<S::Future, fn(Answer) -> Answer>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(refusal) = malformed(&request) {
            return Either::Left(std::future::ready(refusal));
        }
        Either::Right(self.inner.call(request).map(with_reason))
    }
}

/// The refusal of a request that gRPC over HTTP/2 does not allow, or that says too much. The HTTP
/// status keeps clients of other kinds from taking it for an answer.
fn malformed(request: &Request<Body>) -> Option<Answer> {
    let (status, message) = if request.method() != Method::POST {
        let message = "a verb is called by POST; use a gRPC client";
        (StatusCode::METHOD_NOT_ALLOWED, message)
    } else if !is_grpc(request.headers()) {
        let message = "the content type is not application/grpc; use a gRPC client";
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    } else if header_bytes(request) > HEADERS_BYTES_MAX as usize {
        let message = "the metadata is larger than 16 KiB; send less";
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
    } else {
        return None;
    };
    Some(response(Failure::invalid(message)).map(|mut answer| {
        *answer.status_mut() = status;
        answer
    }))
}

/// `application/grpc`, perhaps with `+proto` and parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).map(|it| it.as_bytes());
    let media = text.and_then(|text| text.split(|byte| *byte == b';').next());
    matches!(
        media.map(<[u8]>::trim_ascii),
        Some(b"application/grpc" | b"application/grpc+proto")
    )
}

/// As HTTP/2 counts a header list (RFC 9113, section 6.5.2), without the pseudo-headers but for
/// the path, which is the only one that a caller makes long.
fn header_bytes(request: &Request<Body>) -> usize {
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_BYTES
    };
    let path = request.uri().path_and_query();
    let path_bytes = path.map_or(0, |path| path.as_str().len() + FIELD_BYTES);
    path_bytes + request.headers().iter().map(field).sum::<usize>()
}

/// A refusal keeps the reason that it has and gets one where it has none, whether it stands in the
/// headers or comes behind a body.
fn with_reason(answer: Answer) -> Answer {
    let answer = answer?;
    if let Some(failure) = nameless(answer.headers(), Part::Headers) {
        return response(failure);
    }
    let of_body = |frame: Frame<Bytes>| match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(trailers_with_reason(trailers)),
        Err(data) => data,
    };
    Ok(answer.map(|body| Body::new(body.map_frame(of_body))))
}

fn trailers_with_reason(trailers: HeaderMap) -> HeaderMap {
    let Some(failure) = nameless(&trailers, Part::Trailers) else {
        return trailers;
    };
    let mut ours = HeaderMap::new();
    match Status::from(failure).add_header(&mut ours) {
        Ok(()) => ours,
        // Our own words are header values; should they ever not be, a bare status is better.
        Err(_) => trailers,
    }
}

/// Where a status stands.
#[derive(Clone, Copy)]
enum Part {
    /// Instead of an answer.
    Headers,
    /// Behind an answer that could not be finished.
    Trailers,
}

/// What a status that names no reason means; none for a success or a refusal of ours.
fn nameless(headers: &HeaderMap, part: Part) -> Option<Failure> {
    if headers.contains_key(REASON_METADATA) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    match (status.code(), part) {
        (Code::Ok, _) => None,
        (code, Part::Headers) => Some(of_request(code)),
        (code, Part::Trailers) => Some(of_answer(code)),
    }
}

fn of_request(code: Code) -> Failure {
    match code {
        Code::OutOfRange | Code::ResourceExhausted => Failure::invalid(
            "the request is larger than this verb takes; seal large data under a data key",
        ),
        Code::Internal | Code::InvalidArgument => Failure::invalid(
            "the request is no message of this verb; is the client of another version?",
        ),
        Code::Unimplemented => Failure::new(
            Reason::VersionNewer,
            "this address does not serve this verb or encoding; is the node older, or the port \
             another one's?",
        ),
        Code::DeadlineExceeded | Code::Cancelled => Failure::new(
            Reason::Deadline,
            "the request did not end in time; repeat it",
        ),
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => Failure::internal("a refusal without a reason"),
    }
}

fn of_answer(code: Code) -> Failure {
    if matches!(code, Code::OutOfRange | Code::ResourceExhausted) {
        return Failure::invalid("the answer would be larger than 4 MiB; ask for smaller pages");
    }
    Failure::internal("an answer ended without a reason")
}

/// What HTTP/2 counts for each field beside its text.
const FIELD_BYTES: usize = 32;

// Below the transport's own bound, whose refusal has no place for a reason.
const _: () = assert!(HEADERS_BYTES_MAX < HEADERS_BYTES_HARD_MAX);
// The messages above say so.
const _: () = assert!(HEADERS_BYTES_MAX == 16 * 1_024);
const _: () = assert!(crate::limits::RESPONSE_BYTES_MAX == 4 * 1_024 * 1_024);

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> http::request::Builder {
        Request::builder()
            .method(Method::POST)
            .header(header::CONTENT_TYPE, "application/grpc")
    }

    fn check(request: http::request::Builder, expected: Option<StatusCode>) {
        let refusal = malformed(&request.body(Body::empty()).unwrap());
        let status = refusal.map(|refusal| {
            let refusal = refusal.unwrap();
            assert_eq!(refusal.headers()[REASON_METADATA], "INVALID_ARGUMENT");
            refusal.status()
        });
        assert_eq!(status, expected);
    }

    #[test]
    fn only_posted_grpc_within_the_limit_is_looked_at() {
        check(request(), None);
        check(
            request().method(Method::GET),
            Some(StatusCode::METHOD_NOT_ALLOWED),
        );
        let other = Some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        check(Request::builder().method(Method::POST), other);
        for (content_type, expected) in [
            ("application/grpc+proto", None),
            ("application/grpc; charset=utf-8", None),
            ("application/grpc+json", other),
            ("application/grpc-web", other),
            ("application/json", other),
            ("", other),
        ] {
            let request = Request::builder()
                .method(Method::POST)
                .header(header::CONTENT_TYPE, content_type);
            check(request, expected);
        }
        let large = Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        check(request().header("note", "x".repeat(16_000)), None);
        check(request().header("note", "x".repeat(16_384)), large);
        check(request().uri(format!("/{}", "x".repeat(16_384))), large);
    }

    async fn trailers(status: Status) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        let frames = [
            Ok::<_, Status>(Frame::data(Bytes::from_static(b"page"))),
            Ok(Frame::trailers(trailers)),
        ];
        let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
        let answer = with_reason(Ok(Response::new(Body::new(body)))).unwrap();
        let collected = answer.into_body().collect().await.unwrap();
        let trailers = collected.trailers().unwrap().clone();
        assert_eq!(collected.to_bytes(), b"page".as_slice());
        trailers
    }

    #[tokio::test]
    async fn a_refusal_behind_a_body_gets_a_reason_and_a_success_none() {
        let large = trailers(Status::out_of_range("canary")).await;
        assert_eq!(large[REASON_METADATA], "INVALID_ARGUMENT");
        assert!(!large["grpc-message"].to_str().unwrap().contains("canary"));
        let ours = Failure::new(Reason::Unavailable, "this node stops");
        let ours = trailers(ours.into()).await;
        assert_eq!(ours[REASON_METADATA], "UNAVAILABLE");
        let success = trailers(Status::ok("")).await;
        assert!(!success.contains_key(REASON_METADATA));
    }

    #[test]
    fn every_refusal_in_the_headers_has_a_reason() {
        for code in (1..=16).map(Code::from_i32) {
            let nameless = Status::new(code, "canary").into_http::<Body>();
            let answer = with_reason(Ok(nameless)).unwrap();
            let reason = answer.headers()[REASON_METADATA].to_str().unwrap();
            assert!(reason.parse::<Reason>().is_ok(), "{code:?}: {reason}");
            let message = answer.headers()["grpc-message"].to_str().unwrap();
            assert!(!message.contains("canary"));
        }
        let denied = Failure::new(Reason::Denied, "no");
        let answer = with_reason(response(denied)).unwrap();
        assert_eq!(answer.headers()[REASON_METADATA], "DENIED");
    }
}
