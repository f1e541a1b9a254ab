//! `ward encrypt`: standard input, of any size, to a stand-alone stream on standard output.

use kms_client::stream::seal_stream;

use super::client;
use crate::cli::{EncryptArguments, Global};
use crate::context::gather;
use crate::error::{Failure, Reason};

/// Encrypts under a data key of its own; a stream without its end does not open.
pub(super) async fn run(global: &Global, arguments: EncryptArguments) -> Result<(), Failure> {
    let context = gather(&arguments.context)
        .map_err(|problem| Failure::new(Reason::INVALID_ARGUMENT, problem))?;
    let client = client(global)?;
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    seal_stream(&client, arguments.key, &context, input, output).await?;
    Ok(())
}
