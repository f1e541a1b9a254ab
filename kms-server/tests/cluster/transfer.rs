//! Leadership goes where it is asked for, or stays; a leader that stops lets another lead first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kms_client::Client;
use kms_client::identity::{NodeId, Role};
use kms_client::reason::Reason;
use tokio::task::JoinHandle;
use ward_proto::admin::v1::cluster_admin_service_client::ClusterAdminServiceClient;
use ward_proto::admin::v1::device_admin_service_client::DeviceAdminServiceClient;
use ward_proto::admin::v1::{ContainDeviceRequest, TransferLeadershipRequest};
use ward_proto::v1::ContainLevel;

use crate::containment::enroll;
use crate::harness::{Cluster, RunningNode, eventually};
use crate::strangers::{as_operator, channel, reason};

async fn leader(client: &Client) -> NodeId {
    client.cluster_status().await.unwrap().leader.unwrap()
}

fn at(node: NodeId) -> usize {
    usize::try_from(node.0).unwrap() - 1
}

/// Tasks that create keys one after the other, as fast as they are answered.
struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<String>>>,
}

impl Writers {
    /// Each through a client of its own, with `deadline` for a write.
    fn start(cluster: &Cluster, count: usize, deadline: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..count).map(|number| {
            let dir = cluster.dir.path().join("operator");
            let builder = Client::builder().dir(dir).deadline(deadline);
            let (client, stop) = (builder.open().unwrap(), stop.clone());
            sys::task::spawn("writer", async move {
                let mut made = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let name = format!("w{number}-{}", made.len());
                    if let Err(error) = client.create_key(&name).await {
                        panic!("{name}: {error}");
                    }
                    made.push(name);
                }
                made
            })
        });
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    /// Stops them; answers the keys that were acknowledged. None may have failed.
    async fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut made = Vec::new();
        for task in self.tasks {
            made.extend(task.await.expect("no write fails"));
        }
        made
    }
}

async fn all_there(client: &Client, made: &[String]) {
    // A list may be older than what another client was answered, and not than what this one wrote.
    client.create_key("the-last-one").await.unwrap();
    let keys = client.list_keys("").await.unwrap();
    for name in made {
        assert!(keys.iter().any(|key| key.name == *name), "{name} is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_moves_back_and_forth_under_writes_that_never_fail() {
    let cluster = Cluster::of_three().await;
    let client = cluster.operator();
    let writers = Writers::start(&cluster, 4, Duration::from_secs(10));
    for round in 0..6 {
        let former = leader(&client).await;
        let to = NodeId(former.0 % 3 + 1);
        let asked = (round % 2 == 0).then_some(to);
        let moved = client.transfer_leadership(asked).await.unwrap();
        let leads = moved.leader;
        assert_eq!(moved.former, Some(former), "round {round}");
        assert!(moved.moved(), "round {round}");
        assert!(asked.is_none_or(|asked| asked == leads), "round {round}");
        eventually("all see it", || async {
            client
                .cluster_status()
                .await
                .is_ok_and(|it| it.leader == Some(leads))
        })
        .await;
    }
    let made = writers.finish().await;
    assert!(made.len() > 20, "{} writes", made.len());
    all_there(&client, &made).await;
    // To the one that leads: nothing to do.
    let leads = leader(&client).await;
    let stays = client.transfer_leadership(Some(leads)).await.unwrap();
    assert_eq!((stays.leader, stays.moved()), (leads, false));
    cluster.stop().await;
}

// Mutation: a repeated request that moves leadership again.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_moves_leadership_once() {
    let cluster = Cluster::of_three().await;
    let client = cluster.operator();
    let former = leader(&client).await;
    let leads = client.transfer_leadership(None).await.unwrap().leader;
    let address = cluster.nodes[at(leads)].file.listen.api.clone();
    let channel = channel(&address, as_operator(&cluster)).await;
    let again = TransferLeadershipRequest {
        node_id: 0,
        from_node_id: former.0,
    };
    let mut admin = ClusterAdminServiceClient::new(channel);
    let answer = admin.transfer_leadership(again).await.unwrap();
    assert_eq!(answer.get_ref().leader, leads.0);
    assert_eq!(leader(&client).await, leads);
    cluster.stop().await;
}

// Mutation: a node that led when it let a request in, and not when its barrier was passed, knows of
// no heir and says that nobody can lead.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_meet_a_transfer_under_way_are_sent_to_the_new_leader() {
    let cluster = Cluster::of_three().await;
    let client = cluster.operator();
    for round in 0..3 {
        let former = leader(&client).await;
        let address = &cluster.nodes[at(former)].file.listen.api;
        let admin = channel(address, as_operator(&cluster)).await;
        let admin = ClusterAdminServiceClient::new(admin);
        let request = TransferLeadershipRequest {
            node_id: 0,
            from_node_id: former.0,
        };
        let ask = || {
            let mut admin = admin.clone();
            async move { admin.transfer_leadership(request).await }
        };
        // One after the other without waiting, until the first is answered.
        let (mut under_way, mut answers) = (FuturesUnordered::new(), Vec::new());
        while answers.is_empty() {
            under_way.push(ask());
            let moment = Duration::from_millis(2);
            if let Ok(answer) = tokio::time::timeout(moment, under_way.next()).await {
                answers.extend(answer);
            }
        }
        answers.extend(under_way.collect::<Vec<_>>().await);
        let mut moved = Vec::new();
        for answer in answers {
            match answer {
                Ok(answer) => moved.push(NodeId(answer.get_ref().leader)),
                Err(refused) => {
                    let told = reason(&refused).map(str::to_owned);
                    let told = told.unwrap_or_else(|| panic!("round {round}: {refused}"));
                    let passes = [Reason::NotLeader, Reason::NoLeader];
                    assert!(
                        passes.iter().any(|it| it.as_str() == told),
                        "round {round}: {told}: {refused}"
                    );
                }
            }
        }
        moved.dedup();
        assert!(
            moved.len() == 1 && moved[0] != former,
            "round {round}: {moved:?}"
        );
        eventually("all see it", || async {
            let status = client.cluster_status().await;
            status.is_ok_and(|it| it.leader == Some(moved[0]))
        })
        .await;
    }
    cluster.stop().await;
}

// Mutation: without a look at the heir Raft is told, and another leads or nobody.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_lead_is_refused_and_the_leader_stays() {
    let mut cluster = Cluster::of_three().await;
    let client = cluster.operator();
    client.create_key("billing").await.unwrap();
    let leads = leader(&client).await;
    let refused = |error: kms_client::Error, words: &str| {
        assert_eq!(error.reason(), Reason::CannotLead, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };

    let unknown = client.transfer_leadership(Some(NodeId(9))).await;
    assert_eq!(unknown.unwrap_err().reason(), Reason::NodeNotFound);
    let gateway = cluster.enlist(Role::Gateway, "edge").await;
    let denied = gateway.transfer_leadership(None).await.unwrap_err();
    assert_eq!(denied.reason(), Reason::Denied);

    // One is sealed, the other away: the sealed one's vote keeps the quorum.
    let others: Vec<_> = (1..=3).map(NodeId).filter(|node| *node != leads).collect();
    cluster.nodes[at(others[0])].stop().await;
    let mut file = cluster.nodes[at(others[0])].file.clone();
    file.seal.file.path = file.data_dir.join("seal-away");
    cluster.nodes[at(others[0])] = RunningNode::start(file).await;
    let sealed = client.transfer_leadership(Some(others[0])).await;
    refused(sealed.unwrap_err(), "sealed");
    cluster.nodes[at(others[1])].stop().await;
    let silent = client.transfer_leadership(Some(others[1])).await;
    refused(silent.unwrap_err(), "does not answer");
    let nobody = client.transfer_leadership(None).await;
    refused(nobody.unwrap_err(), "no other voter");

    assert_eq!(leader(&client).await, leads);
    cluster.nodes.remove(at(others[1]));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_a_node_leads_on() {
    let cluster = Cluster::of_one().await;
    let refused = cluster.operator().transfer_leadership(None).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::CannotLead);
    cluster.operator().create_key("k").await.unwrap();
    cluster.stop().await;
}

// Mutation: handing over only after the requests under way are done leaves nobody to write to for
// as long as they take, which is longer than these writers wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stops_hands_over_first_and_answers_what_it_has_accepted() {
    let lease = Duration::from_secs(60);
    let mut cluster = Cluster::three_leasing(Some(lease)).await;
    let client = cluster.operator();
    cluster.enlist(Role::Gateway, "edge").await;
    enroll(&cluster, 0).await;
    let leads = leader(&client).await;
    // An order that waits for its gateway: under way when the node is told to stop.
    let address = cluster.nodes[at(leads)].file.listen.api.clone();
    let channel = channel(&address, as_operator(&cluster)).await;
    let accepted = sys::task::spawn("accepted", async move {
        let order = ContainDeviceRequest {
            device_id: "mon-1".into(),
            level: ContainLevel::Isolate.into(),
            wait_ms: 4_000,
            ..ContainDeviceRequest::default()
        };
        let mut admin = DeviceAdminServiceClient::new(channel);
        admin.contain_device(order).await
    });
    eventually("the order stands", || async {
        let device = client.describe_device("mon-1").await;
        device.is_ok_and(|device| {
            device.containment.level == kms_client::model::ContainLevel::Isolate
        })
    })
    .await;
    let writers = Writers::start(&cluster, 4, Duration::from_secs(2));
    cluster.nodes[at(leads)].stop().await;
    let answer = accepted
        .await
        .unwrap()
        .expect("what was accepted is answered");
    let progress = answer.into_inner().progress.unwrap();
    assert_eq!(progress.pending[0].gateway_id, "edge");
    let made = writers.finish().await;
    assert!(made.len() > 10, "{} writes", made.len());
    all_there(&client, &made).await;
    cluster.nodes.remove(at(leads));
    cluster.stop().await;
}
