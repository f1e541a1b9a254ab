//! Every RPC of the contract, asked by everybody, about keys in every state: the answers of a real
//! node against `expected.txt`, which nobody made from the policies.
//!
//! `callers` makes who asks, `keys` what about, `requests` what is sent, `table` reads what must
//! come back. An RPC without a row fails the test, and so does an action that no row asks for.

mod callers;
mod keys;
mod requests;
mod table;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use kms_client::Client;
use kms_client::model::{KeyType, NewDevice};
use kms_server::policy::Action;

use self::callers::{Credential, Holder, Who};
use self::keys::{KeyState, Made, Scope, Target};
use self::table::Row;
use crate::harness::Cluster;

/// A row with the keys that it is asked about; none for one that touches no key.
struct Asked {
    row: Row,
    keys: Vec<Option<Arc<Made>>>,
}

#[test]
fn every_rpc_and_every_action_has_a_row() {
    let rows = Row::all();
    let asked: BTreeSet<_> = rows.iter().map(|row| row.path).collect();
    let contract: BTreeSet<_> = ward_proto::RPCS.iter().copied().collect();
    let missing: Vec<_> = contract.difference(&asked).collect();
    assert!(
        missing.is_empty(),
        "give them a row in expected.txt: {missing:?}"
    );
    let gone: Vec<_> = asked.difference(&contract).collect();
    assert!(gone.is_empty(), "no RPC of the contract: {gone:?}");
    let is_asked = |action: &Action| rows.iter().any(|row| row.actions.contains(action));
    let never: Vec<_> = Action::ALL
        .into_iter()
        .filter(|action| !is_asked(action))
        .collect();
    assert!(never.is_empty(), "no row asks for these actions: {never:?}");
}

// Mutation: without the condition of `ward:app-uses-own-keys`, or without the look at the caller's
// state, dozens of cells are unexpected.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_answered_what_the_documentation_promises() {
    let cluster = Cluster::of_one().await;
    let holders = callers::all(&cluster).await;
    let spare = NewDevice {
        id: "mon-spare".into(),
        ..NewDevice::default()
    };
    cluster.operator().enroll_device(&spare).await.unwrap();
    let asked = Arc::new(asked(&cluster).await);
    let good =
        |holder: &Holder| holder.who == Who::Operator && holder.credential == Credential::Good;
    let (operator, others): (Vec<_>, Vec<_>) = holders.into_iter().partition(good);
    let (mut tried, began) = (Tried::default(), sys::clock::monotonic());
    // What the operator changes is changed in order, and when all others have been refused it.
    for (round, lanes) in [(others, 8), (operator, 1)] {
        let tasks = round.into_iter().map(Arc::new).flat_map(|holder| {
            let asked = &asked;
            (0..lanes).map(move |lane| {
                let (asked, holder) = (Arc::clone(asked), Arc::clone(&holder));
                sys::task::spawn("holder", ask_all(asked, holder, (lane, lanes)))
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            tried.add(task.await.unwrap());
        }
    }
    let size = format!(
        "{} RPCs, {} rows, {} cells, {} unexpected",
        ward_proto::RPCS.len(),
        asked.len(),
        tried.cells,
        tried.unexpected.len()
    );
    println!("{size}, {:?}", sys::clock::monotonic() - began);
    assert!(
        tried.unexpected.is_empty(),
        "{size}:\n{}",
        tried.unexpected.join("\n")
    );
    cluster.stop().await;
}

#[derive(Default)]
struct Tried {
    cells: usize,
    unexpected: Vec<String>,
}

impl Tried {
    fn add(&mut self, more: Self) {
        self.cells += more.cells;
        self.unexpected.extend(more.unexpected);
    }
}

/// Gives each row its keys: those that are only used are shared, those that are changed are not.
async fn asked(cluster: &Cluster) -> Vec<Asked> {
    let operator = cluster.operator();
    let (mut asked, mut used) = (Vec::new(), Vec::new());
    for row in Row::all() {
        let mut keys = Vec::new();
        for target in targets(&row) {
            let key_type = requests::key_type(row.path);
            let shared = used
                .iter()
                .find(|key: &&Arc<Made>| key.fits(target, key_type));
            if let Some(shared) = shared.filter(|_| !requests::changes_its_key(row.path)) {
                keys.push(Some(Arc::clone(shared)));
                continue;
            }
            let purpose = requests::method(row.path);
            let key = Arc::new(Made::new(&operator, target, key_type, purpose).await);
            if requests::changes_its_key(row.path) {
                prepare_change(&operator, &row, &key).await;
            } else {
                used.push(Arc::clone(&key));
            }
            keys.push(Some(key));
        }
        if keys.is_empty() {
            keys.push(None);
        }
        asked.push(Asked { row, keys });
    }
    asked
}

/// An alias that shall be deleted has to be there.
async fn prepare_change(operator: &Client, row: &Row, key: &Made) {
    if requests::method(row.path) == "DeleteAlias" && key.target.state != KeyState::NotThere {
        let alias = requests::alias(row.path, key.target);
        operator
            .create_alias(&alias, key.name.as_str())
            .await
            .unwrap();
    }
}

/// An application's own keys, and others' where one may be permitted and the other not.
fn targets(row: &Row) -> Vec<Target> {
    let scopes: &[Scope] = match requests::key_type(row.path) {
        _ if !row.touches_a_key() => &[],
        _ if requests::changes_its_key(row.path) => &[Scope::Own],
        KeyType::Aes256Gcm => &Scope::ALL,
        KeyType::HmacSha256 | KeyType::Ed25519 | KeyType::EcdsaP256 => &[Scope::Own, Scope::Other],
    };
    let of = |scope: Scope| KeyState::ALL.map(|state| Target { scope, state });
    scopes.iter().copied().flat_map(of).collect()
}

/// Asks every cell that falls to one of several lanes.
async fn ask_all(
    asked: Arc<Vec<Asked>>,
    holder: Arc<Holder>,
    (lane, lanes): (usize, usize),
) -> Tried {
    let (mut tried, mut cell) = (Tried::default(), 0);
    for Asked { row, keys } in asked.iter() {
        // Who is hung up on asks nothing, so that it cannot matter what about.
        let keys = match holder.is_let_in() {
            true => &keys[..],
            false => &keys[..1],
        };
        for key in keys {
            cell += 1;
            if cell % lanes == lane {
                tried.cells += 1;
                tried
                    .unexpected
                    .extend(ask(row, &holder, key.as_deref()).await);
            }
        }
    }
    tried
}

/// Asks for one cell; answers what was unexpected about it.
async fn ask(row: &Row, holder: &Holder, key: Option<&Made>) -> Option<String> {
    let target = key.map(|key| key.target);
    let expected = row.expected(holder, target);
    let request = requests::request(row, holder, key);
    let answer = wire::ask(holder.channel(row.path), row.path, request).await;
    let (who, credential) = (holder.who, holder.credential);
    (answer != expected).then(|| {
        format!(
            "{} {} as {who:?} {credential:?} on {target:?}: {answer}, not {expected}",
            row.path, row.variant
        )
    })
}
