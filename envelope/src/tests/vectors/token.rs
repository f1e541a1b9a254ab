//! Frozen vectors of the join token.

use serde_json::{Value, json};

use super::{bytes, counted, frozen, key, number, text};
use crate::{id::ClusterId, token::JoinToken};

#[test]
fn tokens_are_frozen() {
    for vector in frozen("token.json", "join token", make()) {
        let token = JoinToken::decode(text(&vector, "token")).unwrap();
        assert_eq!(token.cluster_id.to_string(), text(&vector, "cluster_id"));
        assert_eq!(u64::from(token.role), number(&vector, "role"));
        assert_eq!(token.id, text(&vector, "id"));
        assert_eq!(token.secret.expose(), bytes(&vector, "secret").as_slice());
        assert_eq!(
            token.ca_spki_sha256,
            bytes(&vector, "ca_spki_sha256").as_slice()
        );
        assert_eq!(token.expires_ms, number(&vector, "expires_ms"));
        assert_eq!(token.encode().unwrap().as_str(), text(&vector, "token"));
    }
}

fn make() -> Vec<Value> {
    ["", "edge", "Überwachung-3-West"]
        .map(|id| {
            let token = JoinToken {
                cluster_id: ClusterId::from_bytes(counted(0x40)),
                role: 2,
                id: id.to_owned(),
                secret: key(0x71),
                ca_spki_sha256: counted(0xC0),
                expires_ms: 1_795_478_400_000,
            };
            json!({
                "comment": "the id may be empty, where the cluster gives one",
                "cluster_id": token.cluster_id.to_string(),
                "role": token.role,
                "id": token.id,
                "secret": hex::encode(token.secret.expose()),
                "ca_spki_sha256": hex::encode(token.ca_spki_sha256),
                "expires_ms": token.expires_ms,
                "token": token.encode().unwrap().as_str(),
            })
        })
        .to_vec()
}
