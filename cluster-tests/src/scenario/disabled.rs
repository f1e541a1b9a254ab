//! Revocation is linearizable: a key disabled through one node is refused by each other node.

use std::path::Path;

use envelope::context::EncryptionContext;
use kms_client::Client;
use kms_client::reason::Reason;

use crate::stack::Plan;

/// What was seen.
pub struct Report {
    /// How often a Decrypt was tried on another node after DisableKey had answered.
    pub tried: usize,
    /// How many of them were refused with KEY_DISABLED.
    pub refused: usize,
    /// How many decrypted before the key was disabled (the positive control).
    pub opened_before: usize,
}

/// Runs `rounds` of enable, decrypt everywhere, disable, decrypt everywhere else.
///
/// # Panics
/// When the stack does not come up or a verb fails otherwise.
pub fn run(ward: &Path, dir: &Path, rounds: usize) -> Report {
    let plan = Plan::new(ward, dir.join("data"));
    let stack = plan.start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime.block_on(rounds_of(stack.dir(), rounds));
    stack.stop();
    report
}

async fn rounds_of(dir: &Path, rounds: usize) -> Report {
    let client = Client::open(dir).expect("the operator's identity");
    let mut nodes = Vec::new();
    for id in 1..=3 {
        let node = Client::builder()
            .dir(dir)
            .only_node(id)
            .open()
            .expect("a node");
        nodes.push(node);
    }
    let context = EncryptionContext::new();
    client.create_key("canary").await.expect("a new key");
    let blob = client
        .encrypt("canary", b"secret", &context)
        .await
        .expect("enabled")
        .blob;
    let mut report = Report {
        tried: 0,
        refused: 0,
        opened_before: 0,
    };
    for round in 0..rounds {
        for node in &nodes {
            node.decrypt(&blob, &context).await.expect("enabled");
            report.opened_before += 1;
        }
        let through = round % nodes.len();
        nodes[through]
            .disable_key("canary")
            .await
            .expect("an operator may");
        for (_, node) in nodes.iter().enumerate().filter(|(id, _)| *id != through) {
            report.tried += 1;
            let answer = node.decrypt(&blob, &context).await;
            if answer.is_err_and(|error| error.reason() == Reason::KeyDisabled) {
                report.refused += 1;
            }
        }
        client.enable_key("canary").await.expect("an operator may");
    }
    report
}
