//! Uses of keys on one stream.

use envelope::context::EncryptionContext;
use kms_client::identity::Role;
use kms_client::model::{DataKeyKind, Used};
use kms_client::reason::Reason;
use kms_client::{Batch, Error, KeyStream};

use crate::harness::Cluster;

fn reason<T>(answer: &Result<T, Error>) -> Option<Reason> {
    answer.as_ref().err().map(Error::reason)
}

async fn opened(stream: &KeyStream, blobs: &[&[u8]]) -> Vec<Result<Used, Error>> {
    let (mut batch, none) = (Batch::new(), EncryptionContext::new());
    blobs.iter().for_each(|blob| batch.decrypt(blob, &none));
    stream.batch(batch).await.unwrap()
}

// Mutation: without the number in the answer, or when answers go to who asked first.
#[tokio::test(flavor = "multi_thread")]
async fn each_use_is_answered_by_itself() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    operator.create_key("lab").await.unwrap();
    operator.create_key("gone").await.unwrap();
    let none = EncryptionContext::new();
    let mut blobs = Vec::new();
    for number in 0..300_u32 {
        let number = number.to_be_bytes();
        let sealed = operator.encrypt("lab", &number, &none).await;
        blobs.push(sealed.unwrap().blob);
    }
    let gone = operator.encrypt("gone", b"x", &none).await.unwrap().blob;
    operator.disable_key("gone").await.unwrap();

    let stream = operator.key_stream();
    let halves = [0..150_usize, 150..300].map(|range| {
        let (stream, blobs, gone) = (stream.clone(), &blobs, &gone);
        async move {
            let mut asked: Vec<&[u8]> = blobs[range.clone()].iter().map(|it| &**it).collect();
            asked.insert(7, gone);
            let mut answers = opened(&stream, &asked).await;
            assert_eq!(reason(&answers.remove(7)), Some(Reason::KeyDisabled));
            for (number, answer) in range.zip(answers) {
                let Ok(Used::Decrypted(opened)) = answer else {
                    panic!("{number} is not decrypted");
                };
                let expected = u32::try_from(number).unwrap().to_be_bytes();
                assert_eq!(opened.plaintext.expose(), expected);
            }
        }
    });
    futures::future::join_all(halves).await;
    let made = stream.generate_data_keys("lab", &none, DataKeyKind::Object, 3);
    assert_eq!(made.await.unwrap().keys.len(), 3);
    cluster.stop().await;
}

// Mutation: without the last look in `done`, or when the policies are asked once a stream.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_counts_for_the_next_use_of_an_open_stream() {
    let cluster = Cluster::of_three().await;
    let operator = cluster.operator();
    operator.create_key("app/lab/own").await.unwrap();
    let none = EncryptionContext::new();
    let lab = cluster.enlist(Role::App, "lab").await;
    let sealed = lab.encrypt("app/lab/own", b"x", &none).await.unwrap().blob;
    let stream = lab.key_stream();
    assert!(opened(&stream, &[&sealed]).await[0].is_ok());

    operator.disable_key("app/lab/own").await.unwrap();
    let refused = &opened(&stream, &[&sealed]).await[0];
    assert_eq!(reason(refused), Some(Reason::KeyDisabled));
    operator.enable_key("app/lab/own").await.unwrap();
    assert!(opened(&stream, &[&sealed]).await[0].is_ok());

    let forbid = r#"@id("x") forbid (principal is Ward::App, action, resource is Ward::Key);"#;
    operator.put_policy("x", forbid).await.unwrap();
    let refused = &opened(&stream, &[&sealed]).await[0];
    assert_eq!(reason(refused), Some(Reason::Denied));
    operator.delete_policy("x").await.unwrap();
    assert!(opened(&stream, &[&sealed]).await[0].is_ok());

    // Who joins again has another key: the former one's stream ends.
    let again = cluster.enlist_anew(Role::App, "lab").await;
    let (mut batch, blob) = (Batch::new(), &sealed);
    batch.decrypt(blob, &none);
    let refused = stream.batch(batch).await;
    assert_eq!(refused.err().unwrap().reason(), Reason::Denied);
    assert!(opened(&again.key_stream(), &[&sealed]).await[0].is_ok());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_node_stops_goes_on_at_another() {
    let mut cluster = Cluster::of_three().await;
    let operator = cluster.operator();
    operator.create_key("lab").await.unwrap();
    let none = EncryptionContext::new();
    let sealed = operator.encrypt("lab", b"x", &none).await.unwrap().blob;
    let stream = operator.key_stream();
    assert!(opened(&stream, &[&sealed]).await[0].is_ok());
    // Uses go on while it stops: each is answered, here or there.
    let asking = {
        let (stream, sealed) = (stream.clone(), sealed.clone());
        sys::task::spawn("uses", async move {
            for _ in 0..200 {
                assert!(opened(&stream, &[&sealed]).await[0].is_ok());
            }
        })
    };
    // The node that a new client asks first.
    cluster.nodes[0].stop().await;
    asking.await.unwrap();
    cluster.nodes.remove(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_asks_for_nothing() {
    let cluster = Cluster::of_one().await;
    let refused = cluster.operator().key_stream().batch(Batch::new()).await;
    assert_eq!(refused.err().unwrap().reason(), Reason::InvalidArgument);
    cluster.stop().await;
}
