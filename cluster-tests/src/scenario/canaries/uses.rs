//! Canaries where secrets and data belong: uses of keys, tokens, an inventory, flows of devices.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use envelope::context::EncryptionContext;
use envelope::secret::SecretKey;
use kms_client::identity::{IdentityDir, Role};
use kms_client::model::DataKeyKind;
use kms_client::{Client, JoinToken};

use super::{End, Field};
use crate::canary::Kind;
use crate::sniff::contains;
use crate::wait;
use crate::{dicom, peer};

/// A server that keeps what it gets and answers nothing.
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Sink {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let kept = received.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let kept = kept.clone();
                thread::spawn(move || {
                    let mut buffer = [0; 16 * 1024];
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        let mut kept = kept.lock().expect("no thread panicked");
                        kept.extend_from_slice(&buffer[..count]);
                    }
                });
            }
        });
        Self { address, received }
    }

    pub(super) fn received(&self) -> Vec<u8> {
        self.received.lock().expect("no thread panicked").clone()
    }
}

/// How many of the payloads are in `bytes`.
pub(super) fn count(payloads: &[String], bytes: &[u8]) -> usize {
    let there = |payload: &&String| contains(bytes, payload.as_bytes());
    payloads.iter().filter(there).count()
}

/// Every verb that uses a key, well and wrongly, through each node.
pub(super) async fn keys(field: &mut Field, operator: &Client, key: &str) {
    let patient = field.canaries.text("context", Kind::Unsaid);
    let wrong = field.canaries.text("wrong-context", Kind::Unsaid);
    let context = of(&patient);
    let mut all_decrypted = true;
    for node in 1..=3 {
        let client = Client::builder().dir(field.stack.dir()).only_node(node);
        let client = client.open().expect("a node");
        let plaintext = field.canaries.text("plaintext", Kind::Secret);
        let sealed = client.encrypt(key, plaintext.as_bytes(), &context).await;
        let blob = sealed.expect("an enabled key").blob;
        let opened = client.decrypt(&blob, &context).await.expect("enabled");
        all_decrypted &= opened.plaintext.expose() == plaintext.as_bytes();
        let again = client.re_encrypt(&blob, &context, None, &context).await;
        again.expect("enabled");
        for kind in [DataKeyKind::Object, DataKeyKind::Stream] {
            let made = client.generate_data_key(key, &context, kind).await;
            let made = made.expect("enabled");
            let secret = made.secret.expose();
            field.canaries.bytes("a data key", Kind::Secret, secret);
            let opened = client.unwrap_data_key(&made.wrapped, &made.context).await;
            assert!(opened.expect("enabled").secret.expose() == secret);
            let lost = client.unwrap_data_key(&made.wrapped, &of(&wrong)).await;
            field.refused("a data key under a wrong context", lost);
        }
        let lost = client.decrypt(&blob, &of(&wrong)).await;
        field.refused("Decrypt under a wrong context", lost);
        let lost = client.decrypt(plaintext.as_bytes(), &context).await;
        field.refused("Decrypt of no blob", lost);
        let much = plaintext.repeat(400);
        let lost = client.encrypt(key, much.as_bytes(), &context).await;
        field.refused("Encrypt of too much", lost);
        let lost = client.encrypt("no-such-key", plaintext.as_bytes(), &context);
        field.refused("Encrypt under no key", lost.await);
    }
    field.controls.decrypted.0 = all_decrypted;
    operator.disable_key(key).await.expect("an operator may");
    let plaintext = field.canaries.text("plaintext", Kind::Secret);
    let lost = operator.encrypt(key, plaintext.as_bytes(), &context).await;
    field.refused("Encrypt under a disabled key", lost);
    operator.enable_key(key).await.expect("an operator may");
}

fn of(patient: &str) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    context.insert("patient", patient).expect("short enough");
    context
}

/// The same through the tool, and an inventory.
pub(super) fn verbs(field: &mut Field, key: &str) {
    let plaintext = field.canaries.text("plaintext", Kind::Secret);
    let patient = field.canaries.text("context", Kind::Unsaid);
    let pair = format!("patient={patient}");
    let seal = ["encrypt", "--key", key, "--context", &pair];
    let sealed = field.ward(End::Well, &seal, plaintext.as_bytes());
    field.says("sealed", "ward encrypt", sealed.clone());
    let opened = field.ward(End::Well, &["decrypt", "--context", &pair], &sealed);
    field.controls.decrypted.1 = opened == plaintext.as_bytes();
    let other = format!("patient={}", field.canaries.text("context", Kind::Unsaid));
    let lost = End::Refused("OPEN_FAILED");
    field.ward_all(lost, &["decrypt", "--context", &other], &sealed);
    let open = ["decrypt", "--context", &pair];
    field.ward_all(lost, &open, plaintext.as_bytes());

    let mut words = vec!["device".to_owned(), "enroll".to_owned(), "bed-9".to_owned()];
    for option in [
        "vendor",
        "model",
        "serial",
        "software-version",
        "location",
        "owner",
    ] {
        words.push(format!("--{option}"));
        words.push(field.canaries.text(option, Kind::Unsaid));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    field.ward(End::Well, &words, b"");
    let describe = ["device", "describe", "bed-9", "--output", "json"];
    let shown = field.ward(End::Well, &describe, b"");
    field.controls.inventory = words[3..]
        .iter()
        .skip(1)
        .step_by(2)
        .all(|word| contains(&shown, word.as_bytes()));
}

/// Tokens that are used, some that are wrong, and an application that may not.
pub(super) async fn tokens(field: &mut Field, operator: &Client) {
    let life = Duration::from_secs(600);
    let made = operator.create_join_token(Role::App, Some("reader"), life);
    let token = made.await.expect("an operator may").token;
    let out = field.stack.dir().with_extension("reader");
    enter(field, token, &out);
    show(field);
    let key = IdentityDir::new(&out).path().join("key.pem");
    assert!(key.exists(), "the right token did not let anybody in");
    let reader = Client::open(&out).expect("the reader's identity");
    let plaintext = field.canaries.text("plaintext", Kind::Secret);
    let patient = of(&field.canaries.text("context", Kind::Unsaid));
    let lost = reader.encrypt("device/mon-1", plaintext.as_bytes(), &patient);
    field.refused("Encrypt by who may not", lost.await);
}

/// Enrols into `out` with wrong tokens, with this one, and with this one again.
fn enter(field: &mut Field, mut token: JoinToken, out: &Path) {
    let text = token.encode().expect("it was decoded");
    let secret = token.secret.expose();
    let what = "a join token's secret";
    field.canaries.bytes(what, Kind::Secret, secret);
    let hash = hex::encode(token.ca_spki_sha256);
    let join = field.endpoints[0].join.clone().expect("a join listener");
    let wrong = field.canaries.text("token", Kind::Secret);
    let guess: Vec<u8> = wrong.bytes().cycle().take(32).collect();
    token.secret = SecretKey::from_slice(&guess).expect("32 bytes");
    let what = "a wrong token's secret";
    field.canaries.bytes(what, Kind::Secret, &guess);
    let forged = token.encode().expect("it was decoded");
    let torn = format!("wardj1.{wrong}");
    let folder = out.display().to_string();
    // Somebody else's, who has the token too.
    let again = out.join("again").display().to_string();
    let wrong = End::Refused("TOKEN_INVALID");
    for (end, token, folder) in [
        (wrong, torn.as_str(), &folder),
        (wrong, &forged, &folder),
        (wrong, &text[..text.len() - 3], &folder),
        (End::Well, &text, &folder),
        (End::Refused("ALREADY_INITIALISED"), &text, &folder),
        (wrong, &text, &again),
    ] {
        let words = ["enroll", "--endpoint", &join, "--ca-sha256", &hash];
        let more = ["--token", token, "--out", folder];
        field.ward_all(end, &[&words[..], &more].concat(), b"");
    }
}

/// A token that the tool shows: that is where it belongs.
fn show(field: &mut Field) {
    let create = ["token", "create", "--role", "app", "--id", "other"];
    let shown = field.ward(End::Well, &create, b"");
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let word = shown.split(|c: char| c.is_whitespace() || c == '\'' || c == '"');
    let word = word.into_iter().find(|word| word.starts_with("wardj1."));
    let token = JoinToken::decode(word.expect("a token is shown")).expect("a whole one");
    let secret = token.secret.expose();
    let what = "a shown token's secret";
    field.canaries.bytes(what, Kind::Secret, secret);
}

/// Payloads of devices. Answers with those that a server gets.
pub(super) fn flows(field: &mut Field) -> Vec<String> {
    let mut payloads = Vec::new();
    let mut payload = |what| {
        payloads.push(field.canaries.text(what, Kind::Secret));
        payloads[payloads.len() - 1].clone()
    };
    for number in 0..3 {
        let message = peer::message(&format!("M{number}"), &payload("patient"));
        peer::exchange(field.doors.hl7, &message).expect("the monitor gets its answer");
    }
    give(field.doors.tcp, payload("opaque").repeat(200).as_bytes());
    give(field.doors.dicom, &dicom::unanswered(&payload("image")));
    let unsent = field.canaries.text("unsent", Kind::Secret);
    give(field.doors.nobody, unsent.repeat(200).as_bytes());
    payloads
}

/// Sends bytes and waits for the other side's end, as long as it takes to be refused or read.
///
/// # Panics
/// When no end comes.
pub(super) fn give(door: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(door).expect("a door of the edge");
    let patience = Some(Duration::from_secs(2));
    stream.set_read_timeout(patience).expect("a socket");
    let written = stream.write_all(bytes);
    let written = written.and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    let ended = stream.read_to_end(&mut Vec::new()).map(drop);
    // A flow may be cut, also while it is written: that is one of the endings. Silence is none.
    for error in [written, ended].into_iter().filter_map(Result::err) {
        let cut = [
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::NotConnected,
        ];
        assert!(cut.contains(&error.kind()), "{door}: {error}");
    }
}

/// Reads the archive through the tool: the payloads are in the objects alone.
pub(super) fn archive(field: &mut Field, payloads: &[String]) {
    let (mut known, mut opened) = (BTreeSet::new(), Vec::new());
    field.controls.archived = wait::until("the payloads are archived", || {
        for object in field.stack.objects() {
            let id = object["object_id"].as_str().expect("a string");
            if known.insert(id.to_owned()) {
                opened.extend(field.ward(End::Well, &["archive", "get", id], b""));
            }
        }
        Some(count(payloads, &opened)).filter(|count| *count == payloads.len())
    });
    for verb in ["list", "gaps", "verify"] {
        field.ward_all(End::Well, &["archive", verb], b"");
        field.ward_all(End::Well, &["archive", verb, "--output", "json"], b"");
    }
}
