//! `ward audit verify`: checks every node's log and says where one does not hold.

use kms_client::identity::IdentityDir;
use kms_server::audit::{Finding, LogReport, authority_sha256};
use serde::Serialize;

use crate::cli::{Global, VerifyArguments};
use crate::error::{Failure, Reason};
use crate::evidence::check::{Checker, Scope, Trust, Verdict};
use crate::evidence::{Sink, Source};
use crate::node_names::NodeNames;
use crate::output::{Answer, answer};

/// Checks everything; what is found is shown, and a finding is a failure.
pub(super) async fn run(global: &Global, arguments: VerifyArguments) -> Result<(), Failure> {
    let trust = trust(global, &arguments);
    let source = match arguments.export {
        Some(path) => Source::Export(path),
        None if arguments.files.is_empty() => Source::of(global)?,
        None => Source::folders(&arguments.files)?,
    };
    let scope = match source {
        Source::Export(_) => Scope::All,
        Source::Cluster | Source::Folders(..) => Scope::Named,
    };
    let mut checker = Checker::new(trust, scope);
    // Before the evidence: what these say of the cluster and its authority is what it must fit.
    for path in &arguments.anchors {
        let json = std::fs::read(path).map_err(|error| {
            let what = format!("cannot read {}", path.display());
            Failure::io(&what, &error)
        })?;
        checker.document(&json)?;
    }
    source.read(global, &mut checker).await?;
    let verdict = checker.finish();
    let names = NodeNames::load(&global.data_dir)?;
    let view = VerdictView::new(&verdict, &names);
    answer(global.format(), &view)?;
    match failure(verdict, &view, &names) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// The authority named, or that of the identity in the data directory, if there is one.
fn trust(global: &Global, arguments: &VerifyArguments) -> Trust {
    if let Some(named) = arguments.ca_sha256 {
        return Trust {
            ca_sha256: vec![named.0],
        };
    }
    if arguments.export.is_some() {
        // It may be another cluster's.
        return Trust::default();
    }
    let dirs = [global.data_dir.clone(), global.data_dir.join("operator")];
    let identity = dirs
        .into_iter()
        .find_map(|dir| IdentityDir::new(dir).load().ok());
    let ca = identity.iter().flat_map(|identity| identity.ca());
    Trust {
        ca_sha256: ca.filter_map(|der| authority_sha256(der)).collect(),
    }
}

/// The first thing that does not hold, and how much else.
fn failure(verdict: Verdict, view: &VerdictView, names: &NodeNames) -> Option<Failure> {
    let mut told = view.nodes.iter().flat_map(|node| {
        let place = move |it: &FindingView| format!("{}: {}", node.node, it.text);
        node.findings.iter().map(place)
    });
    let first = verdict.problems.first().cloned().or_else(|| told.next());
    if let Some(first) = first {
        let more = match view.findings() {
            0 | 1 => String::new(),
            count => format!("; {count} findings in all"),
        };
        let sentence =
            format!("{first}{more}: keep these files as they are, and find out who changed them");
        return Some(Failure::new(Reason::AUDIT_BROKEN, sentence));
    }
    let (node, why) = verdict.missing.into_iter().next()?;
    Some(why.of(format!("{} was not checked", label(node, names))))
}

fn label(node: u64, names: &NodeNames) -> String {
    match names.number_of(node) {
        Some(number) => format!("node-{number}"),
        None => format!("former node {node}"),
    }
}

/// What was found, as shown.
#[derive(Serialize)]
struct VerdictView {
    sound: bool,
    cluster_id: String,
    /// Compare it with what the cluster's operators know.
    ca_sha256: Vec<String>,
    nodes: Vec<LogView>,
    problems: Vec<String>,
    not_checked: Vec<MissingView>,
    /// Left the cluster, as the anchors say; their logs are where they were.
    removed_nodes: Vec<u64>,
    /// Nothing is said of these: they are members, or were.
    not_in_this_evidence: Vec<u64>,
}

/// A log, as shown.
#[derive(Serialize)]
struct LogView {
    node: String,
    node_id: u64,
    sound: bool,
    files: u64,
    records: u64,
    checkpoints: u64,
    signed_to: u64,
    anchored_to: u64,
    torn_bytes: u64,
    findings_count: u64,
    findings: Vec<FindingView>,
}

/// A finding, as shown.
#[derive(Serialize)]
struct FindingView {
    file: String,
    line: u64,
    sequence: u64,
    what: String,
    #[serde(skip)]
    text: String,
}

/// A log that was not read, as shown.
#[derive(Serialize)]
struct MissingView {
    node: String,
    why: String,
}

impl VerdictView {
    fn new(verdict: &Verdict, names: &NodeNames) -> Self {
        let log = |log: &LogReport| LogView::new(log, label(log.node, names));
        let nodes: Vec<_> = verdict.logs.iter().map(log).collect();
        let missing = |(node, why): &(u64, Failure)| MissingView {
            node: label(*node, names),
            why: why.to_string(),
        };
        Self {
            sound: nodes.iter().all(|node| node.sound)
                && verdict.problems.is_empty()
                && verdict.missing.is_empty(),
            cluster_id: verdict.cluster_id.clone(),
            ca_sha256: verdict.ca_sha256.clone(),
            nodes,
            problems: verdict.problems.clone(),
            not_checked: verdict.missing.iter().map(missing).collect(),
            removed_nodes: verdict.removed.clone(),
            not_in_this_evidence: verdict.absent.clone(),
        }
    }

    fn findings(&self) -> u64 {
        let of_logs = self.nodes.iter().map(|node| node.findings_count);
        of_logs.sum::<u64>() + self.problems.len() as u64
    }
}

impl LogView {
    fn new(log: &LogReport, node: String) -> Self {
        Self {
            node,
            node_id: log.node,
            sound: log.findings_count == 0,
            files: log.files,
            records: log.lines,
            checkpoints: log.checkpoints,
            signed_to: log.signed_to,
            anchored_to: log.anchored_to,
            torn_bytes: log.torn_bytes,
            findings_count: log.findings_count,
            findings: log.findings.iter().map(FindingView::from).collect(),
        }
    }
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            file: finding.file.clone(),
            line: finding.line,
            sequence: finding.sequence,
            what: finding.problem.to_string(),
            text: finding.to_string(),
        }
    }
}

impl Answer for VerdictView {
    fn text(&self) -> String {
        let mut table = crate::text::Table::new(&[
            "NODE",
            "SOUND",
            "FILES",
            "RECORDS",
            "CHECKPOINTS",
            "SIGNED TO",
            "ANCHORED TO",
        ]);
        for node in &self.nodes {
            table.row([
                node.node.clone(),
                if node.sound { "yes" } else { "no" }.to_owned(),
                node.files.to_string(),
                node.records.to_string(),
                node.checkpoints.to_string(),
                node.signed_to.to_string(),
                node.anchored_to.to_string(),
            ]);
        }
        let mut text = table.text();
        for ca in &self.ca_sha256 {
            text.push_str(&format!("authority {ca}\n"));
        }
        for node in &self.nodes {
            for finding in &node.findings {
                text.push_str(&format!("{}: {}\n", node.node, finding.text));
            }
        }
        for problem in &self.problems {
            text.push_str(&format!("{problem}\n"));
        }
        for missing in &self.not_checked {
            text.push_str(&format!(
                "{} was not checked: {}\n",
                missing.node, missing.why
            ));
        }
        for node in &self.removed_nodes {
            text.push_str(&format!(
                "node {node} was removed from the cluster, as the anchors say; its log is not here\n"
            ));
        }
        for node in &self.not_in_this_evidence {
            text.push_str(&format!("node {node} is not in this evidence\n"));
        }
        text
    }
}
