//! Apply, verb by verb: what each does, and each way it refuses.

use super::testing::{begin, create_key, genesis, key_id};
use super::{
    AnnounceGateway, Command, ConsumeJoinToken, CreateJoinToken, CreateKey, EnrollDevice,
    FirstIdentity, Genesis, Guard, Idempotency, NodeJoin, Outcome, Proposal, PutPolicy,
    RecordCertificate, Refusal, RotateKey, SetKeyState, apply,
};
use crate::replica::limits::{IDENTITY_KEYS_MAX, SEALED_BYTES_MAX};
use crate::state::{
    Addresses, GatewayRole, IDEMPOTENCY_KEPT_MS, Index, KeyState, NodeId, Record, RecordId, Role,
};

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

fn rotate(expected_revision: u64, version: u32) -> Command {
    Command::RotateKey(RotateKey {
        key_id: key_id(1),
        expected_revision,
        version,
        sealed: b"next".to_vec(),
    })
}

fn enroll(device: &str, key_name: &str, key: u64) -> Command {
    Command::EnrollDevice(EnrollDevice {
        device_id: device.to_owned(),
        gateway: String::new(),
        sealed_inventory: b"inventory".to_vec(),
        key: CreateKey {
            key_id: key_id(key),
            name: key_name.to_owned(),
            sealed: b"sealed".to_vec(),
        },
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
        sealed: b"policy".to_vec(),
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

#[test]
fn nothing_comes_before_genesis_and_genesis_comes_once() {
    let mut state = State::empty();
    state.refuse(create_key("k", 1), Refusal::NotBegun);
    assert_eq!(state.run(begin()), Ok(Outcome::Begun));
    state.refuse(begin(), Refusal::AlreadyBegun);
    let cluster = state.index.cluster().unwrap();
    assert_eq!(cluster.created_ms, START);
    assert_eq!(state.index.counters().next_node_id, 2);
    assert_eq!(
        state.index.node(NodeId(1)).unwrap().public_key,
        b"public key 1"
    );
}

#[test]
fn genesis_brings_identities_and_policies() {
    let mut state = State::empty();
    let genesis = Genesis {
        identities: vec![FirstIdentity {
            role: Role::Operator,
            id: "first".to_owned(),
            spki_sha256: [9; 32],
            not_after_ms: 5,
        }],
        policies: vec![PutPolicy {
            policy_id: "base".to_owned(),
            expected_revision: 0,
            sealed: b"policy".to_vec(),
        }],
        ..genesis()
    };
    state.run(Command::Genesis(Box::new(genesis))).unwrap();
    let operator = state.index.identity(Role::Operator, "first").unwrap();
    assert!(operator.honours(&[9; 32]));
    assert!(!operator.honours(&[8; 32]));
    assert_eq!(state.index.policies().count(), 1);
    assert_eq!(state.index.counters().policy_epoch, 1);
}

#[test]
fn a_key_is_made_once() {
    let mut state = State::begun();
    let made = state.run(create_key("k", 1));
    assert_eq!(made, Ok(Outcome::KeyCreated { key_id: key_id(1) }));
    let key = state.index.key_by_name("k").unwrap();
    assert_eq!((key.primary, key.revision, key.epoch), (1, 1, 0));
    assert_eq!(key.state, KeyState::Enabled);
    let version = state.index.key_version(&key_id(1), key.primary_version());
    assert_eq!(version.unwrap().sealed, b"sealed");

    state.refuse(create_key("k", 2), Refusal::NameTaken);
    state.refuse(create_key("other", 1), Refusal::IdExists);
    state.refuse(create_key("", 3), Refusal::NameInvalid);
    state.refuse(create_key("a b", 3), Refusal::NameInvalid);
    state.refuse(create_key("device/mine", 3), Refusal::NameInvalid);
    let large = CreateKey {
        key_id: key_id(3),
        name: "large".to_owned(),
        sealed: vec![0; SEALED_BYTES_MAX + 1],
    };
    state.refuse(Command::CreateKey(large), Refusal::TooLarge);
}

#[test]
fn rotation_is_compare_and_swap() {
    let mut state = State::begun();
    state.refuse(rotate(1, 2), Refusal::KeyNotFound);
    state.run(create_key("k", 1)).unwrap();
    state.refuse(rotate(2, 2), Refusal::Conflict);
    state.refuse(rotate(1, 3), Refusal::Conflict);
    state.run(rotate(1, 2)).unwrap();
    // The same decision a second time was made on what is no longer so.
    state.refuse(rotate(1, 2), Refusal::Conflict);
    let key = state.index.key(&key_id(1)).unwrap();
    assert_eq!((key.primary, key.revision, key.epoch), (2, 2, 0));
    let versions: Vec<u32> = state
        .index
        .key_versions(&key_id(1))
        .map(|v| v.version)
        .collect();
    assert_eq!(versions, [1, 2]);
    state.run(set(KeyState::Disabled)).unwrap();
    state.refuse(rotate(3, 3), Refusal::KeyDisabled);
}

#[test]
fn only_a_loss_moves_a_keys_epoch() {
    let mut state = State::begun();
    state.refuse(set(KeyState::Disabled), Refusal::KeyNotFound);
    state.run(create_key("k", 1)).unwrap();
    let mut steps = Vec::new();
    for next in [
        KeyState::Disabled,
        KeyState::Disabled,
        KeyState::Enabled,
        KeyState::Disabled,
    ] {
        state.run(set(next)).unwrap();
        let key = state.index.key(&key_id(1)).unwrap();
        assert_eq!(key.state, next);
        steps.push((key.revision, key.epoch));
    }
    assert_eq!(steps, [(2, 1), (2, 1), (3, 1), (4, 2)]);
}

#[test]
fn a_device_comes_with_its_key_or_not_at_all() {
    let mut state = State::begun();
    state.run(enroll("mon-1", "device/mon-1", 1)).unwrap();
    let device = state.index.device("mon-1").unwrap();
    let key = state.index.key_by_name("device/mon-1").unwrap();
    assert_eq!(device.key_id, key.key_id);

    state.refuse(enroll("mon-1", "device/mon-1", 2), Refusal::DeviceExists);
    state.refuse(enroll("mon-2", "device/mon-1", 2), Refusal::NameInvalid);
    state.refuse(enroll("mon-2", "mon-2", 2), Refusal::NameInvalid);
    state.refuse(enroll("Mon-2", "device/Mon-2", 2), Refusal::NameInvalid);
    state.refuse(enroll("mon-2", "device/mon-2", 1), Refusal::IdExists);
    assert!(state.index.device("mon-2").is_none());
}

#[test]
fn a_token_becomes_one_identity() {
    let mut state = State::begun();
    state
        .run(token(1, Role::Gateway, "edge", START + 10))
        .unwrap();
    state.refuse(
        token(1, Role::Gateway, "core", START + 10),
        Refusal::IdExists,
    );
    state.refuse(
        token(2, Role::Gateway, "", START + 10),
        Refusal::NameInvalid,
    );
    state.refuse(token(2, Role::Node, "5", START + 10), Refusal::NameInvalid);
    state.refuse(
        token(2, Role::Device, "mon-1", START + 10),
        Refusal::NameInvalid,
    );

    state.refuse(consume(9, 1, Role::Gateway), Refusal::TokenInvalid);
    for claimed in [Role::Node, Role::App, Role::Operator, Role::Device] {
        state.refuse(consume(1, 1, claimed), Refusal::TokenInvalid);
    }
    let joined = Ok(Outcome::Joined {
        role: Role::Gateway,
        id: "edge".to_owned(),
        node_id: None,
    });
    assert_eq!(state.run(consume(1, 1, Role::Gateway)), joined);
    assert_eq!(
        state.run(consume(1, 1, Role::Gateway)),
        joined,
        "the same joiner may repeat"
    );
    state.refuse(consume(1, 2, Role::Gateway), Refusal::TokenInvalid);
    assert!(
        state
            .index
            .identity(Role::Gateway, "edge")
            .unwrap()
            .honours(&[1; 32])
    );

    state.now_ms = START + 10;
    state.refuse(consume(1, 1, Role::Gateway), Refusal::TokenInvalid);
}

#[test]
fn tokens_that_have_ended_are_swept_away() {
    let mut state = State::begun();
    for secret in 1..=5 {
        state
            .run(token(secret, Role::App, "app", START + 10))
            .unwrap();
    }
    state.run(consume(1, 1, Role::App)).unwrap();
    state.run(token(6, Role::App, "app", START + 99)).unwrap();
    state.now_ms = START + 10;
    state.run(token(7, Role::App, "app", START + 99)).unwrap();
    assert!(state.index.expired_tokens(state.now_ms).next().is_none());
    assert!((6..=7).all(|secret| state.index.token(&[secret; 16]).is_some()));
    assert!((1..=5).all(|secret| state.index.token(&[secret; 16]).is_none()));
}

#[test]
fn node_ids_are_never_given_twice() {
    let mut state = State::begun();
    let mut given = Vec::new();
    for number in 1..=3 {
        state.run(token(number, Role::Node, "", u64::MAX)).unwrap();
        state.refuse(consume(number, number, Role::App), Refusal::TokenInvalid);
        for _repeated in 0..2 {
            let joined = state.run(consume(number, number, Role::Node)).unwrap();
            let Outcome::Joined { node_id, .. } = joined else {
                panic!("{joined:?}");
            };
            given.push(node_id.unwrap().0);
        }
    }
    assert_eq!(given, [2, 2, 3, 3, 4, 4]);
    assert_eq!(state.index.nodes().count(), 4);
    assert!(state.index.identity(Role::Node, "4").is_some());
}

#[test]
fn joining_again_takes_the_former_key_away() {
    let mut state = State::begun();
    state.run(token(1, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(1, 1, Role::App)).unwrap();
    let epoch = state.index.counters().identity_epoch;
    state.run(token(2, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(2, 2, Role::App)).unwrap();
    let app = state.index.identity(Role::App, "app").unwrap();
    assert!(app.honours(&[2; 32]) && !app.honours(&[1; 32]));
    assert_eq!(state.index.counters().identity_epoch, epoch + 1);
}

#[test]
fn certificates_are_recorded_for_who_exists() {
    let mut state = State::begun();
    state.refuse(
        certificate(Role::App, "app", 1, 9),
        Refusal::IdentityNotFound,
    );
    state.refuse(
        certificate(Role::Device, "mon-1", 1, 9),
        Refusal::DeviceNotFound,
    );
    state.run(enroll("mon-1", "device/mon-1", 1)).unwrap();
    let later = u64::MAX;
    state
        .run(certificate(Role::Device, "mon-1", 1, START + 1))
        .unwrap();
    state.now_ms += 10;
    for key in 2..=9 {
        state
            .run(certificate(Role::Device, "mon-1", key, later))
            .unwrap();
    }
    let device = state.index.identity(Role::Device, "mon-1").unwrap();
    assert_eq!(device.keys.len(), IDENTITY_KEYS_MAX);
    assert!(!device.honours(&[1; 32]), "it had ended");
    assert_eq!(state.index.counters().identity_epoch, 0);
    // One more pushes a key out that was still good: that is a loss.
    state
        .run(certificate(Role::Device, "mon-1", 10, later))
        .unwrap();
    let device = state.index.identity(Role::Device, "mon-1").unwrap();
    assert!(!device.honours(&[2; 32]) && device.honours(&[10; 32]));
    assert_eq!(state.index.counters().identity_epoch, 1);
}

#[test]
fn a_gateway_that_joined_is_where_it_says() {
    let mut state = State::begun();
    state.refuse(announce("core"), Refusal::IdentityNotFound);
    state
        .run(token(1, Role::Gateway, "core", u64::MAX))
        .unwrap();
    state.run(consume(1, 1, Role::Gateway)).unwrap();
    state.run(announce("core")).unwrap();
    assert_eq!(state.index.gateway("core").unwrap().pid, 7);
    assert_eq!(state.index.gateways().count(), 1);
}

#[test]
fn a_policy_is_replaced_only_by_who_saw_it() {
    let mut state = State::begun();
    state.refuse(policy("p", 1), Refusal::Conflict);
    state.refuse(policy("no spaces", 0), Refusal::NameInvalid);
    assert_eq!(
        state.run(policy("p", 0)),
        Ok(Outcome::PolicyPut { policy_epoch: 1 })
    );
    state.refuse(policy("p", 0), Refusal::Conflict);
    assert_eq!(
        state.run(policy("p", 1)),
        Ok(Outcome::PolicyPut { policy_epoch: 2 })
    );
}

/// A write decided now for the application of this key.
fn decided(state: &State, name: &str, number: u64, key: u8) -> Proposal {
    let guard = Guard {
        policy_epoch: state.index.counters().policy_epoch,
        role: Role::App,
        id: "app".to_owned(),
        spki_sha256: [key; 32],
    };
    Proposal {
        guard: Some(guard),
        ..Proposal::internal(START, create_key(name, number))
    }
}

#[test]
fn a_decision_under_former_policies_is_refused() {
    let mut state = State::begun();
    state.run(token(1, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(1, 1, Role::App)).unwrap();
    let former = decided(&state, "k", 1, 1);
    state.run(policy("p", 0)).unwrap();
    assert_eq!(state.propose(former).0, Err(Refusal::StaleGuard));
    let anew = decided(&state, "k", 1, 1);
    assert!(state.propose(anew).0.is_ok());
}

#[test]
fn a_decision_for_who_was_changed_meanwhile_is_refused_and_nobody_elses_is() {
    let mut state = State::begun();
    for (secret, id) in [(1, "app"), (2, "other")] {
        state.run(token(secret, Role::App, id, u64::MAX)).unwrap();
        state.run(consume(secret, secret, Role::App)).unwrap();
    }
    // Another identity loses one key after the other.
    for key in 10..30 {
        let waiting = decided(&state, &format!("k-{key}"), u64::from(key), 1);
        state
            .run(certificate(Role::App, "other", key, u64::MAX))
            .unwrap();
        assert!(state.propose(waiting).0.is_ok());
    }
    // A renewal takes nothing away; a join with another key does.
    let waiting = decided(&state, "renewed", 1, 1);
    state
        .run(certificate(Role::App, "app", 9, u64::MAX))
        .unwrap();
    assert!(state.propose(waiting).0.is_ok());
    let waiting = decided(&state, "stolen", 2, 1);
    state.run(token(3, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(3, 3, Role::App)).unwrap();
    assert_eq!(state.propose(waiting).0, Err(Refusal::StaleGuard));
    let unknown = decided(&State::begun(), "nobody", 3, 1);
    assert_eq!(
        State::begun().propose(unknown).0,
        Err(Refusal::StaleGuard),
        "an identity that is not there decides nothing"
    );
}

#[test]
fn the_clock_never_goes_back() {
    let mut state = State::begun();
    state.now_ms = START + 500;
    state.run(create_key("a", 1)).unwrap();
    state.now_ms = START - 500;
    state.run(create_key("b", 2)).unwrap();
    assert_eq!(
        state.index.key_by_name("b").unwrap().created_ms,
        START + 500
    );
    assert_eq!(state.index.counters().time_ms, START + 500);
}

fn asked(caller: &str, request: u8, time_ms: u64, command: Command) -> Proposal {
    Proposal {
        time_ms,
        idempotency: Some(Idempotency::new(caller, &[5; 16], [request; 32])),
        guard: None,
        command,
    }
}

#[test]
fn a_repetition_gets_the_first_answer() {
    let mut state = State::begun();
    let first = state.propose(asked("alice", 1, START, create_key("k", 1)));
    // Sealed anew, as a leader would: another key id, the same intent.
    let again = state.propose(asked("alice", 1, START + 9, create_key("k", 2)));
    assert_eq!(again, first);
    assert!(state.index.key(&key_id(2)).is_none());

    let other = state.propose(asked("alice", 2, START, create_key("l", 3)));
    assert_eq!(other.0, Err(Refusal::IdempotencyReused));
    let caller = state.propose(asked("bob", 2, START, create_key("l", 3)));
    assert!(caller.0.is_ok(), "another caller's key is another key");
}

#[test]
fn a_refusal_is_not_kept() {
    let mut state = State::begun();
    let refused = state.propose(asked("alice", 1, START, rotate(1, 2)));
    assert_eq!(refused.0, Err(Refusal::KeyNotFound));
    state.run(create_key("k", 1)).unwrap();
    assert!(
        state
            .propose(asked("alice", 1, START, rotate(1, 2)))
            .0
            .is_ok()
    );
}

#[test]
fn an_answer_is_forgotten_after_its_time_and_swept() {
    let mut state = State::begun();
    for number in 0..20 {
        let caller = format!("caller {number}");
        let command = create_key(&format!("k{number}"), number);
        state.propose(asked(&caller, 1, START, command)).0.unwrap();
    }
    let before = state.records().len();
    let late = START + IDEMPOTENCY_KEPT_MS;
    // The same key after its time is a new intent.
    let again = state.propose(asked("caller 0", 2, late, create_key("new", 99)));
    assert!(again.0.is_ok());
    for _ in 0..10 {
        state
            .propose(Proposal::internal(late, policy("p", 99)))
            .0
            .unwrap_err();
    }
    // 20 answers of two records each went; one answer and a key of three records came.
    assert_eq!(state.records().len(), before - 40 + 2 + 3);
    let repeated = state.propose(asked("caller 0", 2, late, create_key("new", 98)));
    assert_eq!(repeated, again);
}

#[test]
fn lists_are_pages() {
    let mut state = State::begun();
    for (number, name) in ["a/1", "a/2", "b/1", "b/2", "c"].iter().enumerate() {
        state.run(create_key(name, number as u64)).unwrap();
    }
    state.run(enroll("mon-1", "device/mon-1", 50)).unwrap();
    state.run(enroll("mon-2", "device/mon-2", 51)).unwrap();
    let names = |prefix: &str, after: &str| -> Vec<String> {
        let keys = state.index.keys_by_name(prefix, after);
        keys.map(|key| key.name.clone()).collect()
    };
    assert_eq!(names("b/", ""), ["b/1", "b/2"]);
    assert_eq!(names("b/", "b/1"), ["b/2"]);
    assert_eq!(names("", "b/2"), ["c", "device/mon-1", "device/mon-2"]);
    assert_eq!(names("x", ""), [""; 0]);
    let devices: Vec<&str> = state
        .index
        .devices("mon-1")
        .map(|d| &*d.device_id)
        .collect();
    assert_eq!(devices, ["mon-2"]);
}
