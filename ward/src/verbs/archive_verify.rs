//! `ward archive verify`: checks that the archive is whole and that every object in it opens.

use kms_client::archive::{Filter, Report, Structure};
use serde::Serialize;

use super::{archive, client};
use crate::cli::Global;
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer, say};

/// Checks everything; what is found is shown, and a finding is a failure.
pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let archive = archive(global)?;
    let structure = archive.verify_structure()?;
    let report = archive.verify(Filter::default(), &client(global)?).await?;
    for failure in &report.failures {
        match failure.object {
            Some(object) => say(format_args!("object {object}: {}", failure.error)),
            None => say(&failure.error),
        }
    }
    let found = ReportView::new(&structure, &report);
    answer(global.format(), &found)?;
    if found.sound {
        return Ok(());
    }
    let sentence = format!(
        "{} objects do not open, {} places are damaged, {} objects lack their beginning, \
         {} their key: restore the folder from a copy",
        found.failed, found.damaged, found.orphans, found.keyless
    );
    Err(Failure::new(Reason::OPEN_FAILED, sentence))
}

/// What was found, as shown.
#[derive(Serialize)]
struct ReportView {
    sound: bool,
    objects: u64,
    bytes: u64,
    truncated: u64,
    open: u64,
    gaps: u64,
    failed: u64,
    damaged: u64,
    orphans: u64,
    keyless: u64,
}

impl ReportView {
    fn new(structure: &Structure, report: &Report) -> Self {
        Self {
            sound: structure.is_sound() && report.failed == 0,
            objects: report.opened,
            bytes: report.bytes,
            truncated: report.truncated,
            open: structure.open,
            gaps: report.gaps,
            failed: report.failed,
            damaged: structure.damaged,
            orphans: structure.orphans,
            keyless: structure.keyless,
        }
    }
}

impl Answer for ReportView {
    fn text(&self) -> String {
        format!(
            "objects opened     {}\nbytes              {}\ncut by a stop      {}\n\
             still open         {}\ngaps               {}\nnot opened         {}\n\
             damaged places     {}\nwithout beginning  {}\nwithout key        {}\n",
            self.objects,
            self.bytes,
            self.truncated,
            self.open,
            self.gaps,
            self.failed,
            self.damaged,
            self.orphans,
            self.keyless
        )
    }
}
