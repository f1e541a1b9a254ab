//! The tool, run as a cluster's operator.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kms_client::reason::Reason;

use crate::stack::reason;
use crate::wait;

/// The tool under test, with the operator's identity.
pub struct Tool {
    /// The program.
    pub program: PathBuf,
    /// The folder of the operator's identity.
    pub operator: PathBuf,
}

impl Tool {
    /// Runs it as the operator and parses what it says.
    ///
    /// # Panics
    /// When it fails or says something else.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let said = self.operate(arguments, None);
        serde_json::from_slice(&said).expect("JSON on standard output")
    }

    /// Runs it as the operator; `done` is the reason for which it is refused when a call before,
    /// whose answer was lost, did it.
    ///
    /// # Panics
    /// When it fails otherwise.
    pub fn operate(&self, arguments: &[&str], done: Option<Reason>) -> Vec<u8> {
        let operator = text(&self.operator);
        let first = ["--data-dir", &operator, "--output", "json"];
        self.run_once(&[&first, arguments].concat(), done)
    }

    /// The tool, to be run once as the operator.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(&self.operator);
        command.stdin(Stdio::null());
        command
    }

    /// Runs it; again where it says that its reason may pass, as an election does.
    ///
    /// # Panics
    /// When it fails otherwise.
    pub fn run(&self, arguments: &[&str]) -> Vec<u8> {
        self.run_once(arguments, None)
    }

    /// Enrols somebody who is `invited` by a token, with `more` for the one who comes.
    ///
    /// # Panics
    /// When either half fails.
    pub fn enroll(&self, invited: &[&str], more: &[&str]) {
        let token = self.json(&[&["token", "create"], invited].concat());
        let word = |name: &str| token[name].as_str().expect("a word").to_owned();
        let (endpoint, hash, secret) = (word("endpoint"), word("ca_sha256"), word("token"));
        let enroll = [
            "enroll",
            "--endpoint",
            &endpoint,
            "--ca-sha256",
            &hash,
            "--token",
            &secret,
        ];
        self.run(&[&enroll, more].concat());
    }

    fn run_once(&self, arguments: &[&str], done: Option<Reason>) -> Vec<u8> {
        let mut is_repeated = false;
        wait::until("the tool finds a leader", || {
            let mut command = Command::new(&self.program);
            let output = command.args(arguments).stdin(Stdio::null()).output();
            let output = output.expect("the tool can be started");
            let reason = reason(&output);
            if output.status.success() || is_repeated && done.is_some() && reason == done {
                return Some(output.stdout);
            }
            assert!(
                reason.is_some_and(Reason::may_pass),
                "ward {arguments:?} ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
            is_repeated = true;
            None
        })
    }
}

/// A path as an argument.
///
/// # Panics
/// When it is not UTF-8, which no temporary folder of these tests is.
pub fn text(path: &Path) -> String {
    let text = path.to_str();
    text.expect("a temporary folder has a plain name")
        .to_owned()
}
