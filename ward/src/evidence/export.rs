//! An export: all evidence in one stream that needs nothing else (docs/audit.md freezes it).
//!
//! A JSON line says what follows; where it names `bytes`, so many raw bytes and a newline follow.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Sink, broken, io_failure};
use crate::error::{Failure, Reason};

/// Writes what it is handed.
pub(crate) struct Exporter<W> {
    out: W,
    /// Whose files follow.
    node: u64,
    /// Bytes of the section that have not come yet.
    left: u64,
    /// The first node whose log could not be read.
    missing: Option<(u64, Failure)>,
}

/// What a line says. Unknown fields are left alone, unknown kinds are not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Section {
    Export {
        ward_audit_export: u32,
        time: String,
    },
    Anchors {
        bytes: u64,
    },
    Node {
        node: u64,
    },
    File {
        node: u64,
        name: String,
        bytes: u64,
    },
    Missing {
        node: u64,
        why: String,
    },
    End,
}

impl<W: Write> Exporter<W> {
    /// Begins an export.
    pub(crate) fn begin(out: W) -> Result<Self, Failure> {
        let mut exporter = Self {
            out,
            node: 0,
            left: 0,
            missing: None,
        };
        exporter.section(&Section::Export {
            ward_audit_export: FORMAT,
            time: crate::text::time(sys::clock::wall_ms()),
        })?;
        Ok(exporter)
    }

    /// What was written to, and the node that is missing, if any.
    pub(crate) fn finish(self) -> (W, Option<(u64, Failure)>) {
        (self.out, self.missing)
    }

    fn section(&mut self, section: &Section) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(section).map_err(|error| {
            Failure::new(Reason::INTERNAL, format!("cannot write JSON: {error}"))
        })?;
        line.push(b'\n');
        self.write(&line)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.out.write_all(bytes);
        written.map_err(|error| Failure::io("cannot write the export", &error))
    }
}

impl<W: Write> Sink for Exporter<W> {
    fn document(&mut self, json: &[u8]) -> Result<(), Failure> {
        let bytes = json.len() as u64;
        self.section(&Section::Anchors { bytes })?;
        self.left = bytes;
        self.data(json)
    }

    fn node(&mut self, node: u64) -> Result<(), Failure> {
        self.node = node;
        self.section(&Section::Node { node })
    }

    fn file(&mut self, name: &str, bytes: u64) -> Result<(), Failure> {
        let (node, name) = (self.node, name.to_owned());
        self.section(&Section::File { node, name, bytes })?;
        self.left = bytes;
        match bytes {
            0 => self.write(b"\n"),
            _ => Ok(()),
        }
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.write(data)?;
        self.left -= data.len() as u64;
        match self.left {
            0 => self.write(b"\n"),
            _ => Ok(()),
        }
    }

    fn missing(&mut self, node: u64, why: Failure) -> Result<(), Failure> {
        let told = why.to_string();
        self.missing.get_or_insert((node, why));
        self.section(&Section::Missing { node, why: told })
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.section(&Section::End)?;
        let flushed = self.out.flush();
        flushed.map_err(|error| Failure::io("cannot write the export", &error))
    }
}

/// Reads an export back.
pub(super) fn read(path: &Path, sink: &mut impl Sink) -> Result<(), Failure> {
    let failed = io_failure("read", path);
    let mut input = BufReader::new(File::open(path).map_err(&failed)?);
    let foreign = |what: &str| broken(format!("{}: {what}", path.display()));
    let mut begun = false;
    loop {
        let mut line = Vec::new();
        let mut bounded = input.by_ref().take(LINE_BYTES_MAX);
        bounded.read_until(b'\n', &mut line).map_err(&failed)?;
        if line.is_empty() {
            return Err(foreign("the export was cut: its end is missing"));
        }
        let section: Section = serde_json::from_slice(&line)
            .map_err(|_| foreign("not an export of `ward audit export`, or it was changed"))?;
        match section {
            Section::Export {
                ward_audit_export: FORMAT,
                ..
            } => begun = true,
            _ if !begun => return Err(foreign("not an export of format 1")),
            Section::Export { .. } => return Err(foreign("begins twice")),
            Section::Anchors { bytes } if bytes > DOCUMENT_BYTES_MAX => {
                return Err(foreign("an anchors document is too large"));
            }
            Section::Anchors { bytes } => {
                let mut json = Vec::new();
                let mut taken = input.by_ref().take(bytes);
                taken.read_to_end(&mut json).map_err(&failed)?;
                sink.document(&json)?;
                expect_newline(&mut input).map_err(&failed)?;
            }
            Section::Node { node } => sink.node(node)?,
            Section::File { name, bytes, .. } => {
                sink.file(&name, bytes)?;
                copy(&mut input, bytes, &foreign, sink)?;
                expect_newline(&mut input).map_err(&failed)?;
            }
            Section::Missing { node, why } => {
                let why = Failure::new(Reason::UNAVAILABLE, format!("not in the export ({why})"));
                sink.missing(node, why)?;
            }
            Section::End => return Ok(()),
        }
    }
}

fn copy(
    input: &mut impl BufRead,
    bytes: u64,
    foreign: &impl Fn(&str) -> Failure,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    let mut left = bytes;
    while left > 0 {
        let buffer = input
            .fill_buf()
            .map_err(|error| Failure::io("cannot read the export", &error))?;
        let take = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        if take == 0 {
            return Err(foreign("the export was cut: a file in it is not whole"));
        }
        sink.data(&buffer[..take])?;
        input.consume(take);
        left -= take as u64;
    }
    Ok(())
}

fn expect_newline(input: &mut impl Read) -> std::io::Result<()> {
    let mut byte = [0];
    input.read_exact(&mut byte)
}

const FORMAT: u32 = 1;
/// Bytes of a line between sections.
const LINE_BYTES_MAX: u64 = 64 * 1_024;
/// Bytes of an anchors document: 128 anchors for each of a few hundred nodes.
const DOCUMENT_BYTES_MAX: u64 = 16 << 20;
