//! Canaries in every place where a secret or a patient's data can enter, with everything logged
//! that can be: none comes out in a log, an answer, an audit record, a metric or on a disk.
//!
//! What a place may hold: payloads, plaintexts, data keys, tokens, seal and private keys are in no
//! place but the file that is made to hold them. Encryption contexts and the inventory are no
//! secrets and lie on disks, but may name a patient or a ward: no log, audit record, metric or
//! error says them. Names of keys are identifiers: audit records say which were asked for, lists
//! and answers which there are; logs and metrics do not.

mod gather;
mod malformed;
mod uses;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use kms_client::Client;
use kms_client::identity::{Endpoint, IdentityDir};

use crate::canary::{Canaries, Kind};
use crate::follow::Follower;
use crate::peer::AckServer;
use crate::raw::Answer;
use crate::stack::{Plan, Stack, free_address, reason, refusal};
use crate::wait;

/// A canary where none may be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// The log, verb, answer or file.
    pub place: String,
    /// Which canary.
    pub what: String,
    /// As what it was written.
    pub form: &'static str,
    /// How often.
    pub count: usize,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Canaries, and the forms they were searched in.
    pub planted: (usize, usize),
    /// Kinds of places, with how many there were and their bytes.
    pub searched: Vec<(&'static str, usize, usize)>,
    /// What was found.
    pub leaks: Vec<Leak>,
    /// What must be found.
    pub controls: Controls,
}

/// The positive controls.
#[derive(Debug, Default)]
pub struct Controls {
    /// Logs.
    pub logs: usize,
    /// Beginnings and ends of them without a line of level TRACE; at the beginning, of a library.
    pub untraced: Vec<String>,
    /// Times that a log says it had to leave lines out.
    pub lines_left_out: usize,
    /// A key's name in the audit log: the raw files, what `ward audit tail` says, the export.
    pub audited: (bool, bool, bool),
    /// Whether `ward key list` says it.
    pub listed: bool,
    /// Calls that the client library would not make, and those that got a status of HTTP.
    pub asked: (usize, usize),
    /// Listeners that were given plain text.
    pub listeners: usize,
    /// Connections with plain text.
    pub plain: usize,
    /// Those of them that got no answer, be it of HTTP or an alert of TLS.
    pub silent: Vec<String>,
    /// Payload canaries, and those that the servers behind the core received.
    pub received: (usize, usize),
    /// Payload canaries that `ward archive get` gave back.
    pub archived: usize,
    /// Whether what was encrypted came back from the client and from the tool.
    pub decrypted: (bool, bool),
    /// Whether `ward device describe` says the inventory.
    pub inventory: bool,
    /// By name, files made to hold a secret, and those in which the search found it.
    pub at_home: BTreeMap<&'static str, (usize, usize)>,
}

/// What one place said.
struct Said {
    kind: &'static str,
    place: String,
    bytes: Vec<u8>,
}

/// How the tool has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Well,
    /// With this `error[REASON]`.
    Refused(&'static str),
    /// Used wrongly.
    Misused,
}

/// What is at hand while canaries are planted.
struct Field {
    stack: Stack,
    canaries: Canaries,
    said: Vec<Said>,
    controls: Controls,
    /// The nodes' listeners.
    endpoints: Vec<Endpoint>,
    doors: Doors,
}

/// Where devices connect.
struct Doors {
    hl7: SocketAddr,
    dicom: SocketAddr,
    tcp: SocketAddr,
    /// Behind this one there is no server.
    nobody: SocketAddr,
}

impl Field {
    fn says(&mut self, kind: &'static str, place: impl Into<String>, bytes: Vec<u8>) {
        self.said.push(Said {
            kind,
            place: place.into(),
            bytes,
        });
    }

    /// Runs the tool; what it says on standard error may hold no canary. Its data is given back.
    fn ward(&mut self, end: End, args: &[&str], input: &[u8]) -> Vec<u8> {
        // On a machine that does much else, nodes may lose sight of each other for a moment.
        let mut passed = Vec::new();
        let output = wait::until("the tool is answered", || {
            let output = self.stack.ward_with_input(args, input);
            let reason = reason(&output).filter(|reason| reason.may_pass());
            match (reason, end) {
                (None, _) | (_, End::Refused(_)) => Some(output),
                (Some(_), End::Well | End::Misused) => {
                    passed.extend(output.stderr);
                    None
                }
            }
        });
        let reason = refusal(&output);
        let ended = match (output.status.code(), reason.as_deref()) {
            (Some(0), _) => end == End::Well,
            (Some(1), Some(it)) => matches!(end, End::Refused(known) if known == it),
            (Some(2), _) => end == End::Misused,
            _ => false,
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            ended,
            "not {end:?}: ward {args:?}: {}, {said}",
            output.status
        );
        let place = format!(
            "ward {}, standard error",
            args[..args.len().min(2)].join(" ")
        );
        self.says("verbs", place, [passed, output.stderr].concat());
        output.stdout
    }

    /// Runs the tool; nothing that it says may hold a canary.
    fn ward_all(&mut self, end: End, args: &[&str], input: &[u8]) -> Vec<u8> {
        let stdout = self.ward(end, args, input);
        let place = format!(
            "ward {}, standard output",
            args[..args.len().min(2)].join(" ")
        );
        self.says("verbs", place, stdout.clone());
        stdout
    }

    /// Keeps the answer to a call that the client library would not make.
    fn answered(&mut self, place: String, answer: Answer) {
        self.controls.asked.0 += 1;
        self.controls.asked.1 += usize::from(answer.status.is_some());
        self.says("answers", place, answer.said);
    }

    /// Keeps what the client library says of an error.
    fn refused<T>(&mut self, what: &str, answer: Result<T, kms_client::Error>) {
        let Err(error) = answer else {
            panic!("{what} was not refused");
        };
        let mut text = format!("{error}\n{error:?}\n");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(&format!("{cause}\n{cause:?}\n"));
            source = cause.source();
        }
        self.says("answers", format!("the error of {what}"), text.into_bytes());
    }
}

/// Runs it.
///
/// # Panics
/// When the stack does not come up or a verb fails that should not.
pub fn run(ward: &Path, dir: &Path) -> Report {
    let (server, images, sink) = (AckServer::start(), uses::Sink::start(), uses::Sink::start());
    let mut plan = Plan::new(ward, dir.join("data")).log("trace");
    let doors = Doors {
        hl7: plan.route("mon-1", "hl7", server.address),
        dicom: plan.route("ct-1", "dicom", images.address),
        tcp: plan.route("pump-1", "tcp", sink.address),
        nobody: plan.route("pump-2", "tcp", free_address()),
    };
    let follower = Follower::start(&dir.join("data").join("log"), &dir.join("logs"));
    let stack = plan.start();
    let operator = IdentityDir::new(stack.dir().join("operator"));
    let mut field = Field {
        stack,
        canaries: Canaries::default(),
        said: Vec::new(),
        controls: Controls::default(),
        endpoints: operator.load_endpoints().expect("written by ward up"),
        doors,
    };
    // Everything that names a key names this one; the controls look for it where it may be.
    let key = field.canaries.text("key", Kind::Key);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = Client::open(field.stack.dir()).expect("the operator's identity");
    runtime
        .block_on(client.create_key(&key))
        .expect("a new key");

    runtime.block_on(uses::keys(&mut field, &client, &key));
    uses::verbs(&mut field, &key);
    runtime.block_on(uses::tokens(&mut field, &client));
    let payloads = uses::flows(&mut field);
    uses::archive(&mut field, &payloads);
    runtime.block_on(malformed::calls(&mut field, &operator, &key));
    malformed::sockets(&mut field);
    malformed::frames(&mut field);
    malformed::words(&mut field, &key);

    let received = [server.received(), images.received(), sink.received()].concat();
    field.controls.received = (payloads.len(), uses::count(&payloads, &received));
    gather::running(&mut field, &key);
    gather::stopped(field, follower, &key)
}
