//! `ward archive get`: one object's bytes to standard output.

use super::{archive, client};
use crate::cli::{GetArguments, Global};
use crate::error::Failure;
use crate::output::Stdout;

/// Writes the object; only what is authentic is written, and only exit code 0 says it is whole.
pub(super) async fn run(global: &Global, arguments: &GetArguments) -> Result<(), Failure> {
    let archive = archive(global)?;
    let client = client(global)?;
    let mut out = Stdout::lock();
    archive.get(arguments.object, &client, &mut out).await?;
    out.finish()
}
