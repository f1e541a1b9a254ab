//! Figures, for people: `cargo nextest run -p kms-server --run-ignored only measure --no-capture`.

use std::time::Duration;

use super::cluster::Cluster;
use crate::command::Proposal;
use crate::command::testing::create_key;

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!(
        "{what}: n {}, p50 {:?}, p99 {:?}",
        times.len(),
        at(50),
        at(99)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check: it depends on the machine"]
async fn leader_killed_to_next_write() {
    let mut cluster = Cluster::of(3).await;
    let mut times = Vec::new();
    for round in 0..25 {
        cluster
            .write(create_key(&format!("a{round}"), 2 * round))
            .await;
        let leader = cluster.leader().await;
        let killed = sys::clock::monotonic();
        cluster.kill(leader).await;
        cluster
            .write(create_key(&format!("b{round}"), 2 * round + 1))
            .await;
        times.push(killed.elapsed());
        cluster.start(leader).await.unwrap();
        cluster.leader().await;
    }
    report("leader killed to next write", times);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check: it depends on the machine"]
async fn writes_and_barriers_of_64_clients() {
    const CLIENTS: u64 = 64;
    const EACH: u64 = 100;
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let begun = sys::clock::monotonic();
    let clients = (0..CLIENTS).map(|client| {
        let replica = cluster.nodes[&leader].replica.clone();
        async move {
            let mut times = Vec::new();
            for number in 0..EACH {
                let id = client * EACH + number;
                let command = create_key(&format!("k{id}"), id);
                let asked = sys::clock::monotonic();
                replica
                    .propose(Proposal::internal(1, command))
                    .await
                    .unwrap();
                times.push(asked.elapsed());
            }
            times
        }
    });
    let times = futures::future::join_all(clients).await.concat();
    println!(
        "writes/s: {:.0}",
        (CLIENTS * EACH) as f64 / begun.elapsed().as_secs_f64()
    );
    report("write", times);

    for (number, node) in &cluster.nodes {
        let begun = sys::clock::monotonic();
        let clients = (0..CLIENTS).map(|_| async {
            for _ in 0..EACH {
                node.replica.read_barrier().await.unwrap();
            }
        });
        futures::future::join_all(clients).await;
        let each = begun.elapsed() / u32::try_from(CLIENTS * EACH).unwrap();
        println!("barrier on node {number} (leader {leader}): {each:?} a request");
    }
}
