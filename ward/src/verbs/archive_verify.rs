//! `ward archive verify`: checks that the archive is whole and that every object in it opens.

use kms_client::archive::{Failure as Finding, Filter, Report, Structure};
use serde::Serialize;

use super::{archive, client};
use crate::cli::Global;
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer};

/// Checks everything; what is found is shown, and a finding is a failure.
pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let archive = archive(global)?;
    let structure = archive.verify_structure()?;
    let report = archive.verify(Filter::default(), &client(global)?).await?;
    let found = ReportView::new(&structure, &report);
    answer(global.format(), &found)?;
    if found.is_damaged() {
        return Err(damage(&found));
    }
    if let Some(why) = report.stopped {
        let checked = found.objects + found.truncated;
        return Err(Failure::from(why).of(format!(
            "{checked} objects were checked and no damage was found, then the KMS could not be \
             asked; check again when it answers"
        )));
    }
    match report.withheld_why {
        Some(why) => Err(Failure::from(why).of(format!(
            "no damage was found, and {} objects were not checked since the KMS keeps their keys \
             back",
            found.withheld
        ))),
        None => Ok(()),
    }
}

fn damage(found: &ReportView) -> Failure {
    let sentence = format!(
        "{} objects do not open, {} places are damaged, {} objects lack their beginning, \
         {} their key, {} streams have bytes that nothing covers: restore the folder from a copy",
        found.failed, found.damaged, found.orphans, found.keyless, found.uncovered
    );
    Failure::new(Reason::OPEN_FAILED, sentence)
}

/// What was found, as shown.
#[derive(Serialize)]
struct ReportView {
    /// Whether everything was checked and found whole.
    sound: bool,
    /// Whether the check came to its end; not when the KMS could not be asked.
    finished: bool,
    objects: u64,
    bytes: u64,
    truncated: u64,
    open: u64,
    gaps: u64,
    failed: u64,
    /// Objects whose keys the KMS keeps back, which is no damage.
    withheld: u64,
    damaged: u64,
    orphans: u64,
    keyless: u64,
    /// Directions of flows with bytes that neither an object nor a gap covers.
    uncovered: u64,
    /// The first of what failed; `failed` counts all.
    findings: Vec<FindingView>,
}

/// Something that failed.
#[derive(Serialize)]
struct FindingView {
    /// Null for a place that could not be read.
    object_id: Option<String>,
    reason: String,
    what: String,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            object_id: finding.object.map(|object| object.to_string()),
            reason: finding.error.reason().to_string(),
            what: sys::talk::chain(&finding.error),
        }
    }
}

impl ReportView {
    fn new(structure: &Structure, report: &Report) -> Self {
        Self {
            sound: structure.is_sound() && report.is_sound(),
            finished: report.stopped.is_none(),
            objects: report.opened,
            bytes: report.bytes,
            truncated: report.truncated,
            open: structure.open,
            gaps: report.gaps,
            failed: report.failed,
            withheld: report.withheld,
            damaged: structure.damaged,
            orphans: structure.orphans,
            keyless: structure.keyless,
            uncovered: structure.uncovered,
            findings: report.failures.iter().map(FindingView::from).collect(),
        }
    }

    fn is_damaged(&self) -> bool {
        let places = [self.damaged, self.orphans, self.keyless, self.uncovered];
        self.failed > 0 || places.iter().any(|count| *count > 0)
    }
}

impl Answer for ReportView {
    fn text(&self) -> String {
        let rows = [
            ("objects opened", self.objects),
            ("bytes", self.bytes),
            ("cut by a stop", self.truncated),
            ("still open", self.open),
            ("gaps", self.gaps),
            ("not opened", self.failed),
            ("keys kept back", self.withheld),
            ("damaged places", self.damaged),
            ("without beginning", self.orphans),
            ("without key", self.keyless),
            ("not covered", self.uncovered),
        ];
        let line = |(name, count): (&str, u64)| format!("{name:<18} {count}\n");
        let mut text: String = rows.map(line).concat();
        for finding in &self.findings {
            let object = finding.object_id.as_deref().unwrap_or("a place");
            text.push_str(&format!("{object}: {}\n", finding.what));
        }
        text
    }
}
