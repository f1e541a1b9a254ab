//! What a second operator signs: that this very request of this operator may be carried out once.

use ring::digest::{Context, SHA256};

use crate::id::ClusterId;

/// Bytes of the id of one approval.
pub const APPROVAL_ID_BYTES: usize = 16;

/// What is approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The cluster that shall carry it out.
    pub cluster_id: &'a ClusterId,
    /// The id under which it waits.
    pub approval_id: &'a [u8; APPROVAL_ID_BYTES],
    /// The operator who asks.
    pub proposer: &'a str,
    /// Of [`request_sha256`].
    pub request_sha256: &'a [u8; 32],
    /// The revision of what the request changes: it is not approved for another one.
    pub target_revision: u64,
    /// When the approval ends, milliseconds since 1970-01-01 UTC.
    pub expires_ms: u64,
}

impl Statement<'_> {
    /// The bytes that are signed.
    ///
    /// ```text
    /// "ward/approval/v1" 00 ‖ cluster id(16) ‖ approval id(16) ‖ request SHA-256(32) ‖
    /// target revision(8) ‖ expires ms(8) ‖ proposer
    /// ```
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            NAME,
            self.cluster_id.as_bytes(),
            self.approval_id,
            self.request_sha256,
            &self.target_revision.to_be_bytes(),
            &self.expires_ms.to_be_bytes(),
            self.proposer.as_bytes(),
        ]
        .concat()
    }
}

/// The id under which a request of an operator waits: the same request has the same id, however
/// often it is made.
#[must_use]
pub fn approval_id(proposer: &str, request_sha256: &[u8; 32]) -> [u8; APPROVAL_ID_BYTES] {
    let mut id = [0; APPROVAL_ID_BYTES];
    let hash = sha256(&[
        b"ward/approval/id/v1\0",
        request_sha256,
        proposer.as_bytes(),
    ]);
    id.copy_from_slice(&hash[..APPROVAL_ID_BYTES]);
    id
}

/// Names a request by its protobuf message and its bytes, which are without the idempotency key.
#[must_use]
pub fn request_sha256(message: &str, request: &[u8]) -> [u8; 32] {
    sha256(&[
        b"ward/approval/request/v1\0",
        message.as_bytes(),
        b"\0",
        request,
    ])
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    digest
}

const NAME: &[u8] = b"ward/approval/v1\0";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_statement_differs_in_each_of_its_parts() {
        let clusters = [1, 2].map(|byte| ClusterId::from_bytes([byte; 16]));
        let base = Statement {
            cluster_id: &clusters[0],
            approval_id: &[3; 16],
            proposer: "alice",
            request_sha256: &[4; 32],
            target_revision: 5,
            expires_ms: 6,
        };
        let all = [
            base,
            Statement {
                cluster_id: &clusters[1],
                ..base
            },
            Statement {
                approval_id: &[9; 16],
                ..base
            },
            Statement {
                proposer: "bob",
                ..base
            },
            Statement {
                request_sha256: &[9; 32],
                ..base
            },
            Statement {
                target_revision: 9,
                ..base
            },
            Statement {
                expires_ms: 9,
                ..base
            },
        ];
        let different: BTreeSet<_> = all.iter().map(Statement::encode).collect();
        assert_eq!(different.len(), all.len());
        let expected = [
            &b"ward/approval/v1\0"[..],
            &[1; 16],
            &[3; 16],
            &[4; 32],
            &[0, 0, 0, 0, 0, 0, 0, 5],
            &[0, 0, 0, 0, 0, 0, 0, 6],
            b"alice",
        ];
        assert_eq!(base.encode(), expected.concat());
    }

    #[test]
    fn a_request_is_named_by_its_message_its_bytes_and_who_asks() {
        let hashes = [
            request_sha256("A", b"x"),
            request_sha256("A", b"y"),
            request_sha256("B", b"x"),
            request_sha256("A\0x", b""),
        ];
        let ids = hashes
            .iter()
            .flat_map(|hash| ["alice", "bob"].map(|proposer| approval_id(proposer, hash)));
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), 8);
    }
}
