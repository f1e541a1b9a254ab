//! `ward archive list`: JSON lines, or a table, of the objects in the archive. Needs no KMS.

use std::collections::BTreeMap;

use kms_client::archive::{Archive, Filter, ObjectInfo};
use serde::Serialize;

use super::archive;
use crate::cli::{Global, ListArguments};
use crate::error::Failure;
use crate::output::{Format, json_lines, text_lines};

/// Lists what was archived, oldest first.
pub(super) fn run(global: &Global, arguments: &ListArguments) -> Result<(), Failure> {
    let filter = Filter {
        device: arguments.device.as_ref().map(ToString::to_string),
    };
    let archive: Archive = archive(global)?;
    let objects = archive.list(filter)?;
    let objects = objects.map(|object| Ok(ObjectView::from(object?)));
    match global.format_of_lists() {
        Format::Json => json_lines(objects),
        Format::Text => text_lines(HEADING, objects.map(|object| Ok(object?.line()))),
    }
}

/// An object, as shown.
#[derive(Serialize)]
struct ObjectView {
    object_id: String,
    device: String,
    protocol: String,
    direction: &'static str,
    bytes: u64,
    time: String,
    /// Null when the side-car with the wrapped key is gone.
    key_version: Option<u32>,
    complete: bool,
    flow: String,
    offset: u64,
    /// What the gateway read of it: `message`, for DICOM also application entities and classes.
    #[serde(flatten)]
    label: BTreeMap<&'static str, String>,
}

impl From<ObjectInfo> for ObjectView {
    fn from(object: ObjectInfo) -> Self {
        Self {
            object_id: object.object_id.to_string(),
            device: object.device,
            protocol: object.protocol,
            direction: object.direction.as_str(),
            bytes: object.bytes,
            time: object.time,
            key_version: object.key_version.map(|version| version.0),
            complete: object.complete,
            flow: object.flow.to_string(),
            offset: object.offset,
            label: object.label,
        }
    }
}

impl ObjectView {
    /// One line for people; written as it comes, so the widths are guessed.
    fn line(&self) -> String {
        let whole = if self.complete { "whole" } else { "part" };
        let message = self.label.get("message").map_or("", String::as_str);
        let line = format!(
            "{:<32}  {:<24}  {:<16} {:<5} {:<10} {:>9}  {whole}  {message}",
            self.object_id, self.time, self.device, self.protocol, self.direction, self.bytes
        );
        line.trim_end().to_owned()
    }
}

const HEADING: &str = "OBJECT ID                         TIME                      DEVICE           \
                       PROTO DIRECTION      BYTES";
