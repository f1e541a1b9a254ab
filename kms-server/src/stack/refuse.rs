//! How a layer answers without asking further: a gRPC status, and the future that carries it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;

use futures::future::Either;
use http::Response;
use tonic::Status;
use tonic::body::Body;

use crate::api::failure::Failure;

/// What every layer of the stack answers.
pub(super) type Answer = Result<Response<Body>, Infallible>;

/// Either a refusal at once or what the inner service answers.
pub(super) type Checked<F> = Either<Ready<Answer>, F>;

/// The future of a layer that must wait for its own decision.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Answers `failure`.
pub(super) fn response(failure: Failure) -> Answer {
    Ok(Status::from(failure).into_http())
}

/// Answers `failure` at once.
pub(super) fn refuse<F>(failure: Failure) -> Checked<F> {
    Either::Left(ready(response(failure)))
}
