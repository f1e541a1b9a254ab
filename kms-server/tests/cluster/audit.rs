//! What the audit log of a node says of calls, and what happens without it.

use std::collections::BTreeMap;

use envelope::context::EncryptionContext;
use kms_client::identity::Role;
use kms_client::reason::Reason;
use serde_json::Value;
use tonic::Request;
use ward_proto::admin::v1::CreateKeyRequest;
use ward_proto::admin::v1::key_admin_service_client::KeyAdminServiceClient;
use ward_proto::v1::WriteOptions;

use crate::harness::{Cluster, eventually};
use crate::strangers::{as_operator, channel};

/// The records of an action on node 1, oldest first.
pub(crate) fn records(cluster: &Cluster, action: &str) -> Vec<Value> {
    let dir = cluster.nodes[0].file.data_dir.join("audit");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &Value| record["action"] == action)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_moves_name_their_keys() {
    let cluster = Cluster::of_one().await;
    let (operator, context) = (cluster.operator(), EncryptionContext::new());
    let from = operator.create_key("from").await.unwrap();
    operator.create_key("to").await.unwrap();
    let sealed = operator.encrypt("from", b"x", &context).await.unwrap();
    operator
        .re_encrypt(&sealed.blob, &context, Some("to".into()), &context)
        .await
        .unwrap();
    assert_eq!(records(&cluster, "ReEncryptFrom")[0]["resource"], "from");
    assert_eq!(records(&cluster, "ReEncryptTo")[0]["resource"], "to");

    let reader = cluster.enlist(Role::App, "reader").await;
    for refused in [
        reader.encrypt("from", b"x", &context).await.err(),
        reader.decrypt(&sealed.blob, &context).await.map(drop).err(),
        // Whether a key exists is not told by operator verbs either.
        reader.disable_key("none").await.map(drop).err(),
        reader.enable_key("none").await.map(drop).err(),
        reader.rotate_key("none", None).await.map(drop).err(),
    ] {
        assert_eq!(refused.unwrap().reason(), Reason::Denied);
    }
    for action in ["Encrypt", "Decrypt"] {
        let denied = records(&cluster, action).pop().unwrap();
        assert_eq!(denied["outcome"], "denied");
        assert_eq!(denied["resource"], "from");
        assert_eq!(denied["key_id"], hex(from.id.as_bytes()));
    }
    assert_eq!(records(&cluster, "DisableKey")[0]["resource"], "none");
    let joined = records(&cluster, "Join").pop().unwrap();
    assert!(joined["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    let written = &records(&cluster, "CreateKey")[0];
    assert!(!written["policies"].as_array().unwrap().is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_names_the_key_that_the_first_one_made() {
    let cluster = Cluster::of_one().await;
    let channel = channel(&cluster.nodes[0].file.listen.api, as_operator(&cluster)).await;
    let mut client = KeyAdminServiceClient::new(channel);
    let request = CreateKeyRequest {
        name: "billing".to_owned(),
        write: Some(WriteOptions {
            idempotency_key: vec![7; 16].into(),
        }),
        ..CreateKeyRequest::default()
    };
    for _ in 0..2 {
        let made = client.create_key(Request::new(request.clone())).await;
        let key_id = made.unwrap().into_inner().key.unwrap().key_id;
        let record = records(&cluster, "CreateKey").pop().unwrap();
        assert_eq!(record["key_id"], hex(&key_id));
    }
    cluster.stop().await;
}

// Mutation: a record that is begun with the key that the alias meant before the barrier names one
// key and the id of another.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_recorded_under_the_key_that_it_changed() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let mut names = BTreeMap::new();
    for name in ["one", "two"] {
        let key = operator.create_key(name).await.unwrap();
        names.insert(hex(key.id.as_bytes()), name);
    }
    let mut revision = operator
        .create_alias("alias/x", "one")
        .await
        .unwrap()
        .revision;
    for round in 0..40 {
        let to = ["two", "one"][round % 2];
        let (moved, ..) = tokio::join!(
            operator.move_alias("alias/x", to, revision),
            operator.enable_key("alias/x"),
            operator.enable_key("alias/x"),
            operator.enable_key("alias/x"),
        );
        revision = moved.unwrap().revision;
    }
    let records = records(&cluster, "EnableKey");
    assert_eq!(records.len(), 120);
    for record in records {
        let name = names[record["key_id"].as_str().unwrap()];
        assert_eq!(record["resource"], name, "{record}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disablement_stands_without_an_audit_log_and_nothing_secret_leaves() {
    let cluster = Cluster::of_one().await;
    let (operator, context) = (cluster.operator_at(1), EncryptionContext::new());
    operator.create_key("billing").await.unwrap();
    operator.create_key("other").await.unwrap();
    let dir = cluster.nodes[0].file.data_dir.join("audit");
    std::fs::rename(&dir, dir.with_extension("away")).unwrap();

    operator.disable_key("billing").await.unwrap();
    let refused = operator.encrypt("other", b"x", &context).await.err();
    assert_eq!(refused.unwrap().reason(), Reason::AuditUnavailable);
    let refused = operator.enable_key("billing").await.err();
    assert_eq!(refused.unwrap().reason(), Reason::AuditUnavailable);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_read_the_logs_does_and_is_recorded_once() {
    let cluster = Cluster::of_one().await;
    let (operator, reader) = (
        cluster.operator(),
        cluster.enlist(Role::App, "reader").await,
    );
    for refused in [
        reader.audit_files().await.map(drop).err(),
        reader.audit_anchors().await.map(drop).err(),
        reader.read_audit_file("x", 0).await.map(drop).err(),
    ] {
        assert_eq!(refused.unwrap().reason(), Reason::Denied);
    }
    assert_eq!(records(&cluster, "ReadAudit").len(), 3, "each refusal");
    let files = operator.audit_files().await.unwrap();
    let path = cluster.nodes[0]
        .file
        .data_dir
        .join("audit")
        .join(&files[0].name);
    let read = operator.read_audit_file(&files[0].name, 0).await.unwrap();
    let on_disk = std::fs::read(path).unwrap();
    assert!(on_disk.starts_with(&read) && read.len() as u64 >= files[0].bytes);
    for outside in ["../identity.toml", "audit-key.der", ""] {
        let refused = operator.read_audit_file(outside, 0).await.err();
        assert_eq!(refused.unwrap().reason(), Reason::InvalidArgument);
    }
    let read = records(&cluster, "ReadAudit");
    assert_eq!((read.len(), &read[3]["outcome"]), (4, &"allowed".into()));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_entry_anchors_all_nodes_and_an_idle_cluster_makes_none() {
    let cluster = Cluster::of_three().await;
    let document = || async {
        let json = cluster.operator().audit_anchors().await.unwrap();
        kms_server::audit::AnchorsDocument::parse(&json).unwrap()
    };
    eventually("every node's log is anchored", || async {
        document().await.logs.len() == 3
    })
    .await;
    // Reading is recorded once a minute: from here on nothing is.
    let idle = || async {
        let status = cluster.operator().cluster_status().await.unwrap();
        status.nodes.iter().map(|node| node.applied_index).max()
    };
    let last = std::cell::Cell::new((idle().await, sys::clock::monotonic()));
    eventually("no entry for three seconds", || async {
        let now = idle().await;
        if now != last.get().0 {
            last.set((now, sys::clock::monotonic()));
        }
        last.get().1.elapsed().as_secs() >= 3
    })
    .await;
    let known = document().await;
    let ca = known.ca_der().unwrap();
    for log in &known.logs {
        let name = kms_server::audit::LogName {
            cluster_id: known.cluster_id().unwrap(),
            node: log.node,
        };
        let key = log.keys[0].to_bound_key().unwrap();
        assert_eq!(key.verify(&name, &ca), Ok(()));
        assert!(log.anchors.iter().all(|anchor| !anchor.fork));
    }
    cluster.stop().await;
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
