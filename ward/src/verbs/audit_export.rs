//! `ward audit export`: everything that an auditor needs, in one file or stream.

use std::fs::OpenOptions;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::cli::{ExportArguments, Global};
use crate::error::Failure;
use crate::evidence::Source;
use crate::evidence::export::Exporter;
use crate::node_names::NodeNames;
use crate::output::Stdout;

/// Writes the export; exit code 0 says that every node's log is in it.
pub(super) async fn run(global: &Global, arguments: ExportArguments) -> Result<(), Failure> {
    let source = match arguments.files.as_slice() {
        [] => Source::of(global)?,
        folders => Source::folders(folders)?,
    };
    let missing = if arguments.out == Path::new("-") {
        let mut exporter = Exporter::begin(Stdout::lock())?;
        source.read(global, &mut exporter).await?;
        let (out, missing) = exporter.finish();
        out.finish()?;
        missing
    } else {
        to_file(global, &source, &arguments.out).await?
    };
    match missing {
        None => Ok(()),
        Some((node, why)) => {
            let number = NodeNames::load(&global.data_dir)?.number_of(node);
            let number = number.unwrap_or(node);
            Err(why.of(format!("the export is without the log of node-{number}")))
        }
    }
}

/// Writes beside `path` first: a file of that name is always whole.
async fn to_file(
    global: &Global,
    source: &Source,
    path: &Path,
) -> Result<Option<(u64, Failure)>, Failure> {
    let partial = path.with_added_extension("partial");
    let failed = |error| Failure::io(format!("cannot write {}", path.display()), &error);
    let mut options = OpenOptions::new();
    // It names people and devices: for its owner alone, until the owner decides otherwise.
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&partial).map_err(failed)?;
    let mut exporter = Exporter::begin(BufWriter::new(file))?;
    source.read(global, &mut exporter).await?;
    let (out, missing) = exporter.finish();
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)?;
    Ok(missing)
}
