//! Checks the evidence: who may sign for which node, then every log.

use std::collections::BTreeSet;

use envelope::id::ClusterId;
use kms_server::audit::{
    AnchorsDocument, LogName, LogReport, LogVerifier, NoDocument, PublicKey, authority_sha256,
};

use super::{Sink, broken};
use crate::error::Failure;

/// What is trusted before the evidence is looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// SHA-256 of the authority's public keys; empty trusts what the first document tells.
    pub(crate) ca_sha256: Vec<[u8; 32]>,
}

/// Which logs must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every one that was ever anchored, but for those of removed nodes.
    All,
    /// Those that somebody named.
    Named,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Verdict {
    /// The cluster.
    pub(crate) cluster_id: String,
    /// SHA-256 of the public keys of the authority that everything was checked against.
    pub(crate) ca_sha256: Vec<String>,
    /// One a log.
    pub(crate) logs: Vec<LogReport>,
    /// What is wrong with the anchors documents.
    pub(crate) problems: Vec<String>,
    /// Logs that could not be read.
    pub(crate) missing: Vec<(u64, Failure)>,
    /// Nodes that were removed from the cluster, and whose logs are not in the evidence.
    pub(crate) removed: Vec<u64>,
    /// Other nodes that were anchored once, and whose logs are not in the evidence.
    pub(crate) absent: Vec<u64>,
}

/// Checks as it is handed the evidence.
pub(crate) struct Checker {
    trust: Trust,
    scope: Scope,
    documents: Vec<AnchorsDocument>,
    /// Made from all documents when the first node comes.
    ground: Option<Ground>,
    log: Option<LogVerifier>,
    /// Nodes whose removal is recorded in a log that holds. An anchors document that is older does
    /// not know of it; the logs of those who stayed do, signed.
    removed: BTreeSet<u64>,
    in_file: bool,
    verdict: Verdict,
}

/// What all logs are checked against.
struct Ground {
    cluster_id: ClusterId,
    ca: Vec<Vec<u8>>,
}

impl Checker {
    /// Begins.
    pub(crate) fn new(trust: Trust, scope: Scope) -> Self {
        Self {
            trust,
            scope,
            documents: Vec::new(),
            ground: None,
            log: None,
            removed: BTreeSet::new(),
            in_file: false,
            verdict: Verdict::default(),
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> Verdict {
        self.verdict
    }

    /// Settles the cluster and its authority, from the documents and what is trusted.
    fn ground(&mut self) -> Result<(), Failure> {
        if self.ground.is_some() {
            return Ok(());
        }
        let Some(first) = self.documents.first() else {
            let sentence = "no node tells of any anchor: there is nothing to check the logs \
                            against; look for anchors.json in copies of the nodes' directories";
            return Err(broken(sentence));
        };
        let malformed = |NoDocument| broken("an anchors document is malformed");
        let cluster_id = first.cluster_id().map_err(malformed)?;
        let told = first.ca_der().map_err(malformed)?;
        let is_trusted = |der: &Vec<u8>| {
            self.trust.ca_sha256.is_empty()
                || authority_sha256(der).is_some_and(|hash| self.trust.ca_sha256.contains(&hash))
        };
        let ca: Vec<_> = told.into_iter().filter(is_trusted).collect();
        if ca.is_empty() {
            let sentence = "the anchors name another authority than the one that is trusted here: \
                            this is another cluster's evidence, or it was made up";
            return Err(broken(sentence));
        }
        for other in &self.documents[1..] {
            if other.cluster_id != first.cluster_id || other.ca != first.ca {
                let problem = format!(
                    "node {} and node {} name another cluster or authority",
                    first.node, other.node
                );
                self.verdict.problems.push(problem);
            }
        }
        self.verdict.cluster_id = cluster_id.to_string();
        let hashes = ca.iter().filter_map(|der| authority_sha256(der));
        self.verdict.ca_sha256 = hashes.map(hex::encode).collect();
        self.ground = Some(Ground { cluster_id, ca });
        Ok(())
    }

    /// The keys that may sign for a node, by every document.
    fn keys(&mut self, ground: &Ground, name: &LogName) -> Vec<PublicKey> {
        let mut keys = Vec::new();
        for document in &self.documents {
            let logs = document.logs.iter().filter(|log| log.node == name.node);
            for key in logs.flat_map(|log| &log.keys) {
                let checked = match key.to_bound_key() {
                    Ok(bound) => match bound.verify(name, &ground.ca) {
                        Ok(()) => Ok(bound.public_key),
                        Err(error) => Err(error.to_string()),
                    },
                    Err(error) => Err(error.to_string()),
                };
                match checked {
                    Ok(key) => keys.push(key),
                    Err(why) => self.verdict.problems.push(format!(
                        "a key that node {} tells for node {} does not count: {why}",
                        document.node, name.node
                    )),
                }
            }
        }
        keys
    }

    fn close_log(&mut self) {
        self.close_file();
        if let Some(log) = self.log.take() {
            let report = log.finish();
            if report.findings_count == 0 {
                self.removed.extend(&report.removed);
            }
            self.verdict.logs.push(report);
        }
    }

    fn close_file(&mut self) {
        if std::mem::take(&mut self.in_file)
            && let Some(log) = &mut self.log
        {
            log.end_file();
        }
    }
}

fn cut_out() -> Failure {
    broken(
        "its log is not in this export, and the anchors do not say that it was removed from the \
         cluster: the export was made of some nodes only, or somebody took the log out",
    )
}

impl Sink for Checker {
    fn document(&mut self, json: &[u8]) -> Result<(), Failure> {
        match AnchorsDocument::parse(json) {
            Ok(document) => self.documents.push(document),
            Err(error) => self.verdict.problems.push(error.to_string()),
        }
        Ok(())
    }

    fn node(&mut self, node: u64) -> Result<(), Failure> {
        self.close_log();
        self.ground()?;
        let Some(ground) = self.ground.take() else {
            return Ok(());
        };
        let name = LogName {
            cluster_id: ground.cluster_id,
            node,
        };
        let mut log = LogVerifier::new(name, self.keys(&ground, &name));
        for document in &self.documents {
            for told in document.logs.iter().filter(|log| log.node == node) {
                if log.expect(told).is_err() {
                    let problem =
                        format!("an anchor that node {} tells is malformed", document.node);
                    self.verdict.problems.push(problem);
                }
            }
        }
        self.ground = Some(ground);
        self.log = Some(log);
        Ok(())
    }

    fn file(&mut self, name: &str, _bytes: u64) -> Result<(), Failure> {
        self.close_file();
        if let Some(log) = &mut self.log {
            log.begin_file(name);
            self.in_file = true;
        }
        Ok(())
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Failure> {
        if let Some(log) = &mut self.log {
            log.feed(data);
        }
        Ok(())
    }

    fn missing(&mut self, node: u64, why: Failure) -> Result<(), Failure> {
        self.verdict.missing.push((node, why));
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.close_log();
        let read = self.verdict.logs.iter().map(|log| log.node);
        let missing = self.verdict.missing.iter().map(|(node, _)| *node);
        let seen: BTreeSet<u64> = read.chain(missing).collect();
        if seen.is_empty() {
            let problem = "the evidence holds no log at all".to_owned();
            self.verdict.problems.push(problem);
        }
        let anchored = self.documents.iter().flat_map(|it| &it.logs);
        let not_seen = anchored.filter(|log| !seen.contains(&log.node));
        let (removed, stayed): (Vec<_>, Vec<_>) = not_seen.partition(|log| log.removed);
        let removed: BTreeSet<u64> = removed.into_iter().map(|log| log.node).collect();
        // Whoever made up one document has not made up those of the others. One that is older than
        // the removal is outvoted by a log that records it.
        let is_settled = |node: &u64| removed.contains(node) && self.removed.contains(node);
        let stayed = stayed.into_iter().map(|log| log.node);
        let stayed: BTreeSet<u64> = stayed.filter(|node| !is_settled(node)).collect();
        self.verdict.removed = removed.difference(&stayed).copied().collect();
        match self.scope {
            Scope::Named => self.verdict.absent = stayed.into_iter().collect(),
            Scope::All => {
                let missing = stayed.into_iter().map(|node| (node, cut_out()));
                self.verdict.missing.extend(missing);
            }
        }
        Ok(())
    }
}
