//! What was looked at, and what came out: the answer of `--check` and of `ward doctor`.
//!
//! Everything is looked at before anything is said, so that a host is mended once and not once a
//! finding. A warning does not fail; a failure makes the command exit with 1.

use serde::Serialize;

use crate::error::{Failure, Reason};
use crate::output::{Answer, Format, answer};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Works, and should not stay so.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    level: Level,
    /// What was looked at.
    subject: String,
    /// What was found.
    finding: String,
    /// What to do; null when there is nothing to do, or the finding says it.
    remedy: Option<String>,
}

/// All of them, in the order in which they were looked at.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Report(Vec<Finding>);

impl Report {
    /// Notes that something is as it should be.
    pub(crate) fn ok(&mut self, subject: impl Into<String>, finding: impl Into<String>) {
        self.push(Level::Ok, subject.into(), finding.into(), None);
    }

    /// Notes something that works and should not stay so.
    pub(crate) fn warn(
        &mut self,
        subject: impl Into<String>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let remedy = Some(remedy.into());
        self.push(Level::Warn, subject.into(), finding.into(), remedy);
    }

    /// Notes something that does not work.
    pub(crate) fn fail(
        &mut self,
        subject: impl Into<String>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let remedy = Some(remedy.into());
        self.push(Level::Fail, subject.into(), finding.into(), remedy);
    }

    /// Notes an error whose own words say what to do.
    pub(crate) fn error(
        &mut self,
        subject: impl Into<String>,
        error: &(dyn std::error::Error + 'static),
    ) {
        let words = sys::talk::chain(error);
        let finding = words.split_whitespace().collect::<Vec<_>>().join(" ");
        self.push(Level::Fail, subject.into(), finding, None);
    }

    /// Puts another report behind this one.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Says everything; fails when something failed.
    pub(crate) fn finish(self, format: Format) -> Result<(), Failure> {
        answer(format, &self)?;
        match self.failures() {
            0 => Ok(()),
            failed => Err(Failure::new(
                Reason::CHECK_FAILED,
                format!(
                    "{failed} of {} checks failed: mend what is marked `fail` above, and check \
                     again",
                    self.0.len()
                ),
            )),
        }
    }

    /// How many things do not work.
    pub(crate) fn failures(&self) -> usize {
        let failed = |finding: &&Finding| finding.level == Level::Fail;
        self.0.iter().filter(failed).count()
    }

    fn push(&mut self, level: Level, subject: String, finding: String, remedy: Option<String>) {
        self.0.push(Finding {
            level,
            subject,
            finding,
            remedy,
        });
    }
}

impl Answer for Report {
    fn text(&self) -> String {
        let line = |finding: &Finding| {
            let level = match finding.level {
                Level::Ok => "ok  ",
                Level::Warn => "warn",
                Level::Fail => "fail",
            };
            let remedy = finding.remedy.as_ref();
            let remedy = remedy.map_or(String::new(), |remedy| format!("\n      → {remedy}"));
            format!(
                "{level}  {}: {}{remedy}\n",
                finding.subject, finding.finding
            )
        };
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_fails() {
        let mut report = Report::default();
        report.ok("clock", "right");
        report.warn("swap", "on", "switch it off");
        assert_eq!(report.failures(), 0);
        report.fail("seal", "missing", "put it back");
        assert_eq!(
            report.text(),
            "ok    clock: right\n\
             warn  swap: on\n      → switch it off\n\
             fail  seal: missing\n      → put it back\n"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json[2]["level"], "fail");
        assert_eq!(json[0]["remedy"], serde_json::Value::Null);
        let failure = report.finish(Format::Json).unwrap_err();
        assert_eq!(failure.reason(), &Reason::CHECK_FAILED);
    }
}
