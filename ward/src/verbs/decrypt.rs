//! `ward decrypt`: a stand-alone stream on standard input back to its plaintext.

use kms_client::stream::open_stream;

use super::client;
use crate::cli::{DecryptArguments, Global};
use crate::context::gather;
use crate::error::{Failure, Reason};

/// Decrypts. Only authenticated chunks are written; only exit code 0 says that they are the whole.
pub(super) async fn run(global: &Global, arguments: DecryptArguments) -> Result<(), Failure> {
    let context = gather(&arguments.context)
        .map_err(|problem| Failure::new(Reason::INVALID_ARGUMENT, problem))?;
    let client = client(global)?;
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    open_stream(&client, &context, input, output)
        .await
        .map_err(explained)?;
    Ok(())
}

/// Adds what a person can do about a stream that does not open.
fn explained(error: kms_client::Error) -> Failure {
    if error.reason() != kms_client::reason::Reason::OpenFailed {
        return error.into();
    }
    let sentence = format!(
        "the stream {error}, or it was cut short; \
         give exactly the --context pairs of `ward encrypt`, or fetch the stream again"
    );
    Failure::new(Reason::OPEN_FAILED, sentence)
}
