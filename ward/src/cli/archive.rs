//! `ward archive …`.

use clap::{Args, Subcommand};
use envelope::id::ObjectId;

use crate::route::DeviceName;

/// What to do with the archive.
#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveVerb {
    /// List objects, oldest first; also with `ward up` stopped.
    List(ListArguments),
    /// Write one object's bytes to standard output.
    Get(GetArguments),
    /// Check that everything in the archive is whole and opens.
    Verify,
    /// List stretches that were forwarded and not kept.
    Gaps,
}

/// Which objects.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Only those of this device.
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<DeviceName>,
}

/// Which object.
#[derive(Args, Debug)]
pub(crate) struct GetArguments {
    /// Its id, as `ward archive list` shows it.
    #[arg(value_name = "OBJECT_ID")]
    pub(crate) object: ObjectId,
}
