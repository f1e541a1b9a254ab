//! Checks one node's log: its chain, its checkpoints' signatures, and that it holds every line
//! that was anchored.
//!
//! An anchor is not signed, and may come from whoever made up the rest. It counts only if the line
//! it names is a checkpoint that the node signed: then nobody without the node's key has made both.
//!
//! Fed with the files' bytes in order, wherever they come from: a running node, a stopped one's
//! directory, an export. It goes on behind a finding, so that all are told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::chain::{self, ChainProblem, Digest, Head};
use super::document::{AnchorView, LogAnchors, NoDocument};
use super::files;
use super::key::{LogName, PublicKey};
use super::limits::{FINDINGS_MAX, LINE_BYTES_MAX};
use super::line::{self, CALL, CHECKPOINT, Links};

/// What a log amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// The N of `node-N`.
    pub node: u64,
    /// How many files were read.
    pub files: u64,
    /// How many lines.
    pub lines: u64,
    /// How many checkpoints with a good signature.
    pub checkpoints: u64,
    /// The newest line.
    pub head: Head,
    /// Up to which line a good checkpoint speaks for the log.
    pub signed_to: u64,
    /// Up to which line an anchor of a good checkpoint speaks for it.
    pub anchored_to: u64,
    /// The nodes whose removal from the cluster is recorded up to the newest good checkpoint.
    pub removed: Vec<u64>,
    /// Bytes behind the last whole line of the newest file: a write that was never answered.
    pub torn_bytes: u64,
    /// How much does not hold.
    pub findings_count: u64,
    /// The first of it.
    pub findings: Vec<Finding>,
}

/// A place where a log does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file; empty where there is none.
    pub file: String,
    /// Counts from 1; 0 for the file as a whole.
    pub line: u64,
    /// The record that is concerned.
    pub sequence: u64,
    /// What differs.
    pub problem: Problem,
}

/// What can differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// As a link of the chain.
    #[error("{0}")]
    Chain(ChainProblem),
    /// A changed record, found by the line behind it.
    #[error("record {0} was changed, or its digest in the line behind it")]
    Changed(u64),
    /// The log's beginning is not there.
    #[error("the log begins with record {0}: the files before it are missing")]
    Beginning(u64),
    /// A file's name and its first line do not agree.
    #[error("the file's first record is {0}, which is not what its name says")]
    Name(u64),
    /// Zeros in the midst of a file: no power cut leaves records behind what it cut short.
    #[error("{0} bytes are no record, and records follow them: what stood there is gone")]
    Hole(u64),
    /// Bytes without an end, in a file that others follow.
    #[error("the file ends in {0} bytes of no record, and others follow it")]
    TornWithin(u64),
    /// A checkpoint that its key has not signed.
    #[error("the checkpoint's signature is wrong")]
    Signature,
    /// A checkpoint by a key that is not known to be the node's.
    #[error("the checkpoint is signed with a key that is not bound to this node")]
    Key,
    /// Another record stands where one was anchored.
    #[error("the record is not the one that was anchored as {0}")]
    Anchor(u64),
    /// The log ends before what was anchored.
    #[error("the log ends with record {end}, but record {anchored} was anchored: it was cut")]
    Truncated {
        /// The newest line.
        end: u64,
        /// The newest anchor.
        anchored: u64,
    },
    /// An anchor names a line that the node has not signed: no leader anchors one.
    #[error("record {0} was anchored, but it is no checkpoint that this node signed")]
    AnchorUnsigned(u64),
    /// Nobody speaks for the log.
    #[error("no anchor counts for the log: nothing but itself speaks for it")]
    NotAnchored,
    /// When it was anchored, it had lost what was anchored before.
    #[error("when record {0} was anchored, the node's log no longer held the anchor before it")]
    Fork(u64),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{} ", self.file)?;
        }
        if self.line > 0 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "record {}: {}", self.sequence, self.problem)
    }
}

/// Follows one log.
pub struct LogVerifier {
    name: LogName,
    keys: Vec<PublicKey>,
    /// Every digest that was anchored for a record; one, unless there were forks.
    anchors: BTreeMap<u64, Vec<Digest>>,
    forks: Vec<u64>,
    head: Option<Head>,
    /// Where the newest line stands.
    head_place: (String, u64),
    file: String,
    line: u64,
    /// The line from which on the file is what a power cut left of a write, if no record follows.
    torn: Option<u64>,
    pending: Vec<u8>,
    /// Nodes whose removal no checkpoint speaks for so far.
    removed: Vec<u64>,
    /// Behind a line that is too long, until its end.
    skipping: bool,
    report: LogReport,
}

impl LogVerifier {
    /// Begins with what is known of the log: the keys whose bindings were checked, and the
    /// anchors of every node that told some.
    pub fn new(name: LogName, keys: Vec<PublicKey>) -> Self {
        Self {
            name,
            keys,
            anchors: BTreeMap::new(),
            forks: Vec::new(),
            head: None,
            head_place: (String::new(), 0),
            file: String::new(),
            line: 0,
            torn: None,
            pending: Vec::new(),
            removed: Vec::new(),
            skipping: false,
            report: LogReport {
                node: name.node,
                files: 0,
                lines: 0,
                checkpoints: 0,
                head: Head::EMPTY,
                signed_to: 0,
                anchored_to: 0,
                removed: Vec::new(),
                torn_bytes: 0,
                findings_count: 0,
                findings: Vec::new(),
            },
        }
    }

    /// Demands the anchors that one node told; several may tell of the same log.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn expect(&mut self, told: &LogAnchors) -> Result<(), NoDocument> {
        for anchor in &told.anchors {
            let AnchorView { sequence, fork, .. } = *anchor;
            let hash = anchor.head()?.hash;
            let expected = self.anchors.entry(sequence).or_default();
            if !expected.contains(&hash) {
                expected.push(hash);
            }
            if fork && !self.forks.contains(&sequence) {
                self.forks.push(sequence);
            }
        }
        Ok(())
    }

    /// Begins the next file.
    pub fn begin_file(&mut self, name: &str) {
        if self.report.torn_bytes > 0 {
            let torn = self.report.torn_bytes;
            self.found(self.next_sequence(), Problem::TornWithin(torn));
        }
        name.clone_into(&mut self.file);
        self.line = 0;
        self.torn = None;
        self.report.torn_bytes = 0;
        self.report.files += 1;
    }

    /// Takes the file's next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if std::mem::take(&mut self.skipping) {
                self.count_torn(line.len() + 1);
                continue;
            }
            if self.pending.is_empty() {
                self.take(line);
            } else {
                let mut whole = std::mem::take(&mut self.pending);
                whole.extend_from_slice(line);
                self.take(&whole);
            }
        }
        if self.skipping {
            self.count_torn(bytes.len());
            return;
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > LINE_BYTES_MAX {
            self.skipping = true;
            self.line += 1;
            let long = std::mem::take(&mut self.pending);
            self.take_unreadable(&long, long.len());
        }
    }

    /// Ends the file.
    pub fn end_file(&mut self) {
        self.report.torn_bytes += self.pending.len() as u64;
        self.pending.clear();
        self.skipping = false;
        // What is told from here on is of the file as a whole.
        self.line = 0;
    }

    /// Ends the log.
    #[must_use]
    pub fn finish(mut self) -> LogReport {
        self.line = 0;
        let end = self.head.map_or(0, |head| head.sequence);
        let anchored = self.anchors.last_key_value().map_or(0, |(last, _)| *last);
        if anchored > end {
            self.found(end + 1, Problem::Truncated { end, anchored });
        } else if self.report.anchored_to == 0 {
            self.found(1, Problem::NotAnchored);
        }
        self.file.clear();
        for sequence in std::mem::take(&mut self.forks) {
            self.found(sequence, Problem::Fork(sequence));
        }
        self.report.head = self.head.unwrap_or(Head::EMPTY);
        self.report
    }

    fn take(&mut self, line: &[u8]) {
        self.line += 1;
        let Ok(links) = chain::links(line) else {
            return self.take_unreadable(line, line.len() + 1);
        };
        if let Some(torn) = self.torn.take() {
            let here = std::mem::replace(&mut self.line, torn);
            let bytes = std::mem::take(&mut self.report.torn_bytes);
            self.found(self.next_sequence(), Problem::Hole(bytes));
            self.line = here;
        }
        self.report.lines += 1;
        self.check_place(&links);
        let head = Head {
            sequence: links.seq,
            hash: Digest::of(line),
        };
        self.head = Some(head);
        self.head_place = (self.file.clone(), self.line);
        if links.kind == CALL {
            self.removed.extend(line::removed_node(line));
        }
        let signed = links.kind == CHECKPOINT && self.check_signature(line, links.seq);
        self.check_anchors(&head, signed);
    }

    /// Takes a line that is no record, or the beginning of one that is too long.
    fn take_unreadable(&mut self, line: &[u8], bytes: usize) {
        // What a power cut left of blocks that were not written yet; no line has such bytes.
        if self.torn.is_none() && line.contains(&0) {
            self.torn = Some(self.line);
        }
        if self.torn.is_some() {
            return self.count_torn(bytes);
        }
        self.report.lines += 1;
        self.found(
            self.next_sequence(),
            Problem::Chain(ChainProblem::Unreadable),
        );
        // Its digest is what the next line must hold, if it was always so.
        let sequence = self.next_sequence();
        let hash = Digest::of(line);
        self.head = Some(Head { sequence, hash });
        self.head_place = (self.file.clone(), self.line);
    }

    fn count_torn(&mut self, bytes: usize) {
        if self.torn.is_some() {
            self.report.torn_bytes += bytes as u64;
        }
    }

    fn check_place(&mut self, links: &Links) {
        let named = files::first_sequence(Path::new(&self.file));
        if self.line == 1 && named.is_some_and(|named| named != links.seq) {
            self.found(links.seq, Problem::Name(links.seq));
        }
        let Some(head) = self.head else {
            if let Err(problem) = chain::follows(links, &Head::EMPTY) {
                let problem = match problem {
                    ChainProblem::Sequence { found, .. } => Problem::Beginning(found),
                    ChainProblem::Chain | ChainProblem::Unreadable => Problem::Chain(problem),
                };
                self.found(links.seq, problem);
            }
            return;
        };
        match chain::follows(links, &head) {
            Ok(()) => {}
            Err(ChainProblem::Chain) => {
                let (file, line) = self.head_place.clone();
                let here = (std::mem::replace(&mut self.file, file), self.line);
                self.line = line;
                self.found(head.sequence, Problem::Changed(head.sequence));
                (self.file, self.line) = here;
            }
            Err(problem) => self.found(links.seq, Problem::Chain(problem)),
        }
    }

    /// Compares the line with what was anchored under its number.
    fn check_anchors(&mut self, line: &Head, signed: bool) {
        let Some(anchored) = self.anchors.get(&line.sequence) else {
            return;
        };
        let is_anchored = anchored.contains(&line.hash);
        if anchored.iter().any(|hash| *hash != line.hash) {
            self.found(line.sequence, Problem::Anchor(line.sequence));
        }
        if is_anchored && signed {
            self.report.anchored_to = self.report.anchored_to.max(line.sequence);
        } else if is_anchored {
            self.found(line.sequence, Problem::AnchorUnsigned(line.sequence));
        }
    }

    /// Whether a key of the node signed the checkpoint.
    fn check_signature(&mut self, line: &[u8], sequence: u64) -> bool {
        let problem = match line::signed_part(line) {
            Some(part) if !self.keys.contains(&part.key) => Problem::Key,
            Some(part)
                if self
                    .name
                    .verify_checkpoint(&part.key, part.signed, &part.signature) =>
            {
                self.report.checkpoints += 1;
                self.report.signed_to = sequence;
                self.report.removed.append(&mut self.removed);
                return true;
            }
            Some(_) | None => Problem::Signature,
        };
        self.found(sequence, problem);
        false
    }

    fn next_sequence(&self) -> u64 {
        self.head.map_or(1, |head| head.sequence.saturating_add(1))
    }

    fn found(&mut self, sequence: u64, problem: Problem) {
        self.report.findings_count += 1;
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(Finding {
                file: self.file.clone(),
                line: self.line,
                sequence,
                problem,
            });
        }
    }
}
