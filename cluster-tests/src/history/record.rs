//! One call each, as the client that made it saw it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use kms_client::reason::Reason;
use serde::{Serialize, Serializer};

/// What a call was about. The calls about one subject are checked without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A key, by its number.
    Key(usize),
    /// A device, by its number.
    Device(usize),
    /// The leases of a gateway.
    Lease,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// CreateKey, EnrollDevice.
    Create,
    /// RotateKey.
    Rotate,
    /// EnableKey.
    Enable,
    /// DisableKey.
    Disable,
    /// PutPolicy, with a policy that forbids every use of the key.
    Forbid,
    /// PutPolicy, with one that forbids nothing.
    Permit,
    /// Encrypt, with the primary version.
    Encrypt,
    /// GenerateDataKey, with the primary version.
    GenerateDataKey,
    /// Sign, with the primary version.
    Sign,
    /// Decrypt of a blob of this version.
    Decrypt(u32),
    /// UnwrapDataKey of a data key wrapped under this version.
    Unwrap(u32),
    /// ContainDevice, to isolate it.
    Isolate,
    /// ReleaseDevice.
    Release,
    /// RevokeDevice.
    Revoke,
    /// AcknowledgeContainment, of this epoch.
    Acknowledge(u64),
    /// RenewLease.
    Renew,
}

impl Op {
    /// Whether it changes something where it is permitted.
    #[must_use]
    pub fn is_write(self) -> bool {
        match self {
            Self::Create
            | Self::Rotate
            | Self::Enable
            | Self::Disable
            | Self::Forbid
            | Self::Permit
            | Self::Isolate
            | Self::Release
            | Self::Revoke => true,
            Self::Encrypt
            | Self::GenerateDataKey
            | Self::Sign
            | Self::Decrypt(_)
            | Self::Unwrap(_)
            | Self::Acknowledge(_)
            | Self::Renew => false,
        }
    }
}

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done; with the number that the answer had: a key's version, a lease's index, the epoch
    /// of an order that is complete, 0 for one that is pending.
    Done(u64),
    /// It is refused, for a reason that says what is so.
    Refused(#[serde(serialize_with = "reason")] Reason),
    /// Nobody knows whether it was done, or will be.
    Unknown(#[serde(serialize_with = "reason")] Reason),
}

/// One call.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Its number in the history.
    pub id: u64,
    /// Who asked.
    pub client: usize,
    /// Which node was asked.
    pub node: usize,
    /// What about.
    pub subject: Subject,
    /// What.
    pub op: Op,
    /// When it was sent, nanoseconds since the history began.
    pub begun: u64,
    /// When it was answered or given up, on the same clock.
    pub ended: u64,
    /// What was told.
    pub answer: Answer,
    /// The SHA-256 of its encryption context, hex; empty where it has none.
    pub context: String,
}

/// What a call is, known before it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    /// Who asks.
    pub client: usize,
    /// Which node is asked.
    pub node: usize,
    /// What about.
    pub subject: Subject,
    /// What.
    pub op: Op,
}

impl Call {
    /// When it had happened at the latest: never, where nobody knows.
    #[must_use]
    pub fn settled(&self) -> u64 {
        match self.answer {
            Answer::Done(_) | Answer::Refused(_) => self.ended,
            Answer::Unknown(_) => u64::MAX,
        }
    }

    /// The action under which a node audits it.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self.op {
            Op::Create if matches!(self.subject, Subject::Device(_)) => "EnrollDevice",
            Op::Create => "CreateKey",
            Op::Rotate => "RotateKey",
            Op::Enable => "EnableKey",
            Op::Disable => "DisableKey",
            Op::Forbid | Op::Permit => "PutPolicy",
            Op::Encrypt => "Encrypt",
            Op::GenerateDataKey => "GenerateDataKey",
            Op::Sign => "Sign",
            Op::Decrypt(_) => "Decrypt",
            Op::Unwrap(_) => "UnwrapDataKey",
            Op::Isolate => "ContainDevice",
            Op::Release => "ReleaseDevice",
            Op::Revoke => "RevokeDevice",
            Op::Acknowledge(_) => "AcknowledgeContainment",
            Op::Renew => "RenewLease",
        }
    }

    /// Whether it was answered as done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.answer, Answer::Done(_))
    }
}

/// Takes calls down, from many clients at once.
pub struct Recorder {
    start: Instant,
    calls: Mutex<(u64, Vec<Call>)>,
}

/// A call that was sent.
pub struct Begun {
    /// Its number.
    pub id: u64,
    at: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            start: sys::clock::monotonic(),
            calls: Mutex::default(),
        }
    }
}

impl Recorder {
    /// To be called before anything is sent.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn begin(&self) -> Begun {
        let mut calls = self.calls.lock().expect("no thread panicked");
        calls.0 += 1;
        Begun {
            id: calls.0,
            at: self.now(),
        }
    }

    /// To be called once the answer is there.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn end(&self, begun: &Begun, intent: Intent, context: String, answer: Answer) {
        let call = Call {
            id: begun.id,
            client: intent.client,
            node: intent.node,
            subject: intent.subject,
            op: intent.op,
            begun: begun.at,
            ended: self.now(),
            answer,
            context,
        };
        let mut calls = self.calls.lock().expect("no thread panicked");
        calls.1.push(call);
    }

    /// How many calls have an answer.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn count(&self) -> usize {
        self.calls.lock().expect("no thread panicked").1.len()
    }

    /// The calls, in the order of their beginnings.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn calls(&self) -> Vec<Call> {
        let mut calls = self.calls.lock().expect("no thread panicked").1.clone();
        calls.sort_by_key(|call| call.begun);
        calls
    }

    /// The nodes that answered clients' calls begun since then as done.
    ///
    /// # Panics
    /// Never: no code panics while it holds the lock.
    pub fn nodes_served_since(&self, then: u64) -> BTreeSet<usize> {
        let calls = self.calls.lock().expect("no thread panicked");
        let answered = calls.1.iter().rev().take_while(|call| call.ended >= then);
        // Those of a gateway need no audit record.
        let theirs = |call: &&Call| !matches!(call.op, Op::Renew | Op::Acknowledge(_));
        let served = answered
            .filter(|call| call.begun >= then && call.is_done())
            .filter(theirs);
        served.map(|call| call.node).collect()
    }

    /// The time on the clock of this history.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Writes a history down, one call a line, JSON.
///
/// # Errors
/// What the disk says.
pub fn write(calls: &[Call], path: &Path) -> io::Result<()> {
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    for call in calls {
        serde_json::to_writer(&mut file, call)?;
        writeln!(file)?;
    }
    file.flush()
}

fn reason<S: Serializer>(reason: &Reason, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(reason.as_str())
}
