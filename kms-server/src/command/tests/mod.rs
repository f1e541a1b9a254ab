//! Apply, verb by verb: what each does, and each way it refuses. This file holds what the others
//! share: a state, and small valid commands.

use envelope::id::KeyVersion;

use super::testing::{begin, create_key, genesis, key_id, record};
use super::{
    AnnounceGateway, Command, ConsumeJoinToken, CreateJoinToken, CreateKey, EnrollDevice,
    FirstIdentity, Genesis, Guard, Idempotency, NodeJoin, Outcome, Proposal, PutPolicy,
    RaiseFormat, RecordCertificate, Refusal, RotateKey, SetKeyState, apply,
};
use crate::keyring::Place;
use crate::replica::limits::{IDENTITY_KEYS_MAX, SEALED_BYTES_MAX};
use crate::state::{
    Addresses, GatewayRole, IDEMPOTENCY_KEPT_MS, Index, KeyState, KeyType, NodeId, Record,
    RecordId, Role,
};

mod aliases;
mod approvals;
mod certificates;
mod devices;
mod frame;
mod gateways;
mod genesis;
mod imports;
mod keys;
mod labels;
mod policies;
mod quotas;
mod rewraps;
mod rotation;
mod sealed;
mod tokens;
mod typed_keys;
mod versions;

/// The time of the first entry of each test.
const START: u64 = 1_000_000;

/// A state that entries are applied to, as the state machine does.
struct State {
    index: Index,
    log_index: u64,
    now_ms: u64,
}

impl State {
    fn empty() -> Self {
        Self {
            index: Index::default(),
            log_index: 0,
            now_ms: START,
        }
    }

    fn begun() -> Self {
        let mut state = Self::empty();
        assert_eq!(state.run(begin()), Ok(Outcome::Begun));
        state
    }

    fn run(&mut self, command: Command) -> Result<Outcome, Refusal> {
        self.propose(Proposal::internal(self.now_ms, command)).0
    }

    fn propose(&mut self, proposal: Proposal) -> (Result<Outcome, Refusal>, u64) {
        self.log_index += 1;
        let effect = apply(&self.index, self.log_index, &proposal);
        for (id, record) in effect.writes.into_vec() {
            self.index.put(id, record);
        }
        (effect.answer, effect.answered_at)
    }

    /// Runs what must be refused, and checks that only the clock may have moved.
    fn refuse(&mut self, command: Command, refusal: Refusal) {
        let before = self.records();
        assert_eq!(self.run(command), Err(refusal));
        assert_eq!(self.records(), before, "a refusal changed something");
    }

    fn records(&self) -> Vec<(RecordId, Record)> {
        let all = self.index.range_after(Some(&RecordId::Counters));
        all.map(|(id, record)| (id.clone(), record.clone()))
            .collect()
    }
}

fn set(state: KeyState) -> Command {
    let key_id = key_id(1);
    Command::SetKeyState(SetKeyState { key_id, state })
}

/// Where the version of a test's key is kept.
fn version_of(name: &str, number: u64, version: u32) -> Place {
    Place::key_version(
        KeyType::Aes256Gcm,
        key_id(number),
        KeyVersion(version),
        name,
    )
}

fn rotate(expected_revision: u64, version: u32) -> Command {
    Command::RotateKey(RotateKey {
        key_id: key_id(1),
        expected_revision,
        version,
        sealed: record(&version_of("k", 1, version), 1),
    })
}

fn enroll(device: &str, key_name: &str, key: u64) -> Command {
    Command::EnrollDevice(EnrollDevice {
        device_id: device.to_owned(),
        gateway: String::new(),
        sealed_inventory: record(&Place::device(device, key_id(key)), 1),
        key: CreateKey {
            key_id: key_id(key),
            name: key_name.to_owned(),
            sealed: record(&version_of(key_name, key, 1), 1),
        },
        offline_allowance_s: 3_600,
    })
}

fn token(secret: u8, role: Role, id: &str, expires_ms: u64) -> Command {
    Command::CreateJoinToken(CreateJoinToken {
        secret_sha256: [secret; 32],
        role,
        id: id.to_owned(),
        replaces: None,
        expires_ms,
    })
}

fn consume(secret: u8, key: u8, role: Role) -> Command {
    let node = (role == Role::Node).then(|| NodeJoin {
        addresses: Addresses::default(),
        public_key: vec![key],
    });
    Command::ConsumeJoinToken(ConsumeJoinToken {
        secret_sha256: [secret; 32],
        role,
        spki_sha256: [key; 32],
        not_after_ms: u64::MAX,
        node,
    })
}

fn certificate(role: Role, id: &str, key: u8, not_after_ms: u64) -> Command {
    Command::RecordCertificate(RecordCertificate {
        role,
        id: id.to_owned(),
        spki_sha256: [key; 32],
        not_after_ms,
    })
}

fn policy(id: &str, expected_revision: u64) -> Command {
    Command::PutPolicy(PutPolicy {
        policy_id: id.to_owned(),
        expected_revision,
        sealed: record(&Place::policy(id), expected_revision + 1),
    })
}

fn announce(gateway_id: &str) -> Command {
    Command::AnnounceGateway(AnnounceGateway {
        gateway_id: gateway_id.to_owned(),
        role: GatewayRole::Core,
        address: "127.0.0.1:1".to_owned(),
        pid: 7,
    })
}
