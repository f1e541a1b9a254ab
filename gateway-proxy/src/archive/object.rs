//! The object that is open in one direction: seals bytes into fragments as they come.
//!
//! What is said of an object in clear stands in front of it. Until the observer knows that, at most
//! one chunk of plaintext waits, and is sealed then.

use std::sync::{Arc, Weak};

use envelope::FormatError;
use envelope::context::reserved;
use envelope::id::ObjectId;
use envelope::object::{Prologue, Sealer};
use envelope::segment::{SideCarKey, Trailer, append_fragment};
use jiff::Timestamp;

use super::keys::{Lease, Leased};
use super::limits::LABEL_BYTES_MAX;
use super::writer::Writer;
use crate::capture::{Direction, FlowInfo};
use crate::observe::{End, Label};

/// An object between its first and its last byte; holds at most 16 KiB of its plaintext.
pub(super) struct OpenObject {
    id: ObjectId,
    /// Where in its direction it begins.
    begins: u64,
    bytes: u64,
    sealer: Sealer,
    /// While its label is not known: what is sealed anew once it is.
    unlabelled: Option<Box<Unlabelled>>,
    wrapped: Arc<SideCarKey>,
    /// Weak: an object under way must not keep its data key in memory.
    lease: Weak<dyn Lease>,
    reserved_bytes: u64,
    /// Whether its first fragment was written.
    begun: bool,
}

/// What waits for an object's label.
struct Unlabelled {
    /// The data key stays in memory for it: as long as bytes come, and a moment longer.
    lease: Arc<dyn Lease>,
    prologue: Prologue,
    head: Vec<u8>,
}

impl OpenObject {
    /// Begins an object at offset `begins`.
    ///
    /// # Errors
    ///
    /// When the data key's context has no room for the object's own pairs.
    pub(super) fn begin(
        leased: Leased,
        reserved_bytes: u64,
        info: &FlowInfo,
        direction: Direction,
        begins: u64,
        at_ms: u64,
    ) -> Result<Self, FormatError> {
        let id = ObjectId::random();
        let mut context = leased.wrapped.context.clone();
        let pairs = [
            (reserved::DIRECTION, name_of(direction).to_owned()),
            (reserved::PROTOCOL, info.protocol.as_str().to_owned()),
            (reserved::FLOW, info.flow.to_string()),
            (reserved::OFFSET, begins.to_string()),
            (reserved::TIME, rfc3339(at_ms)),
        ];
        for (key, value) in pairs {
            context.insert_reserved(key, value)?;
        }
        let data_key_id = leased.wrapped.data_key_id;
        let prologue = Prologue {
            object_id: id,
            data_key_id,
            context,
        };
        let sealer = Sealer::new(leased.lease.secret(), &prologue)?;
        let lease = Arc::downgrade(&leased.lease);
        let wrapped = leased.wrapped;
        let unlabelled = Some(Box::new(Unlabelled {
            lease: leased.lease,
            prologue,
            head: Vec::new(),
        }));
        Ok(Self {
            id,
            begins,
            bytes: 0,
            sealer,
            unlabelled,
            wrapped,
            lease,
            reserved_bytes,
            begun: false,
        })
    }

    pub(super) fn id(&self) -> ObjectId {
        self.id
    }

    pub(super) fn begins(&self) -> u64 {
        self.begins
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn wrapped(&self) -> &Arc<SideCarKey> {
        &self.wrapped
    }

    /// Whether fragments of it were written already.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Whether its label is still open.
    pub(super) fn is_unlabelled(&self) -> bool {
        self.unlabelled.is_some()
    }

    /// Nothing will be said of it.
    pub(super) fn no_label(&mut self) {
        self.unlabelled = None;
    }

    /// Gives it its label, once; what has waited for that is sealed.
    pub(super) fn label(&mut self, label: &Label, writer: &mut Writer) {
        let Some(unlabelled) = self.unlabelled.take() else {
            return;
        };
        let Unlabelled {
            lease,
            mut prologue,
            head,
        } = *unlabelled;
        for (name, value) in label.pairs() {
            // Where there is no room for a pair, the object goes without it.
            if let Err(error) = prologue.context.insert_reserved(name, value) {
                tracing::debug!(%error, name, "an object has no room for its label");
            }
        }
        if label.pairs().next().is_some() {
            // The one made at the beginning proved that the data key fits.
            match Sealer::new(lease.secret(), &prologue) {
                Ok(sealer) => self.sealer = sealer,
                Err(error) => tracing::error!(%error, "an object goes without its label"),
            }
        }
        if !head.is_empty() {
            self.seal(&head, writer);
        }
    }

    /// Writes its first fragment, with nothing sealed in it yet, unless it was written.
    pub(super) fn show(&mut self, writer: &mut Writer) {
        if self.begun || self.is_unlabelled() {
            return;
        }
        let Self { id, sealer, .. } = self;
        self.begun = writer.append_sealed(&self.wrapped, |out| {
            append_fragment(out, *id, true, None, |out| {
                out.extend_from_slice(sealer.header());
            });
            true
        });
    }

    /// Takes more of it. Answers whether it can still wait for its label.
    pub(super) fn go_on(&mut self, bytes: &[u8], writer: &mut Writer) -> bool {
        self.bytes += bytes.len() as u64;
        let Some(unlabelled) = &mut self.unlabelled else {
            self.seal(bytes, writer);
            return true;
        };
        unlabelled.head.extend_from_slice(bytes);
        unlabelled.head.len() < LABEL_BYTES_MAX
    }

    /// Seals more of it. A fragment is written only when a chunk is full.
    fn seal(&mut self, bytes: &[u8], writer: &mut Writer) {
        let Self {
            id, sealer, begun, ..
        } = self;
        let written = writer.append_sealed(&self.wrapped, |out| {
            let mut sealed_bytes = 0;
            append_fragment(out, *id, !*begun, None, |out| {
                if !*begun {
                    out.extend_from_slice(sealer.header());
                }
                let before = out.len();
                sealer.update(bytes, out).expect(ENDS_EARLY);
                sealed_bytes = out.len() - before;
            });
            sealed_bytes > 0
        });
        self.begun |= written;
    }

    /// Seals the last of it and writes its end.
    pub(super) fn end(
        mut self,
        bytes: &[u8],
        end: End,
        label: &Label,
        at_ms: u64,
        writer: &mut Writer,
    ) {
        self.label(label, writer);
        self.bytes += bytes.len() as u64;
        if let Some(lease) = self.lease.upgrade() {
            lease.give_back(self.reserved_bytes.saturating_sub(self.bytes));
        }
        let complete = end == End::Complete;
        let trailer = Trailer {
            plaintext_bytes: self.bytes,
            ended_ms: at_ms,
            complete,
        };
        let Self {
            id,
            mut sealer,
            begun,
            wrapped,
            ..
        } = self;
        writer.append_sealed(&wrapped, |out| {
            append_fragment(out, id, !begun, Some(&trailer), |out| {
                if !begun {
                    out.extend_from_slice(sealer.header());
                }
                sealer.update(bytes, out).expect(ENDS_EARLY);
                sealer.finish(out).expect(ENDS_EARLY);
            });
            true
        });
    }
}

/// Why sealing cannot fail: observers end objects at 256 MiB.
const ENDS_EARLY: &str = "an object ends long before the 4 PiB that it could have";

/// The direction's name in an object's context.
pub(super) fn name_of(direction: Direction) -> &'static str {
    match direction {
        Direction::ToService => "to-service",
        Direction::ToDevice => "to-device",
    }
}

/// Writes a time as RFC 3339 in UTC with milliseconds.
fn rfc3339(at_ms: u64) -> String {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
    format!("{time:.3}")
}
