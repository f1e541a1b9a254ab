//! Sends bytes to an RPC by its path, and tells how it was answered in one word.

use std::error::Error;

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};
use ward_proto::v1::batch_result::Result as Made;

/// `ok`, the reason, the code where there is no reason, or `HUNG_UP` when nobody answered.
pub(super) async fn ask(channel: Channel, path: &'static str, request: Bytes) -> String {
    let mut grpc = tonic::client::Grpc::new(channel);
    if let Err(error) = grpc.ready().await {
        return refused(&Status::from_error(error.into()));
    }
    let path = http::uri::PathAndQuery::from_static(path);
    // Every RPC answers with at least one message: the first will do, also of a stream.
    let answer = grpc
        .server_streaming(Request::new(request), path.clone(), Raw)
        .await;
    let first = match answer {
        Ok(stream) => stream.into_inner().message().await,
        Err(status) => Err(status),
    };
    match first {
        Ok(Some(message)) if path.path().ends_with("/Batch") => item(&message),
        Ok(Some(message)) if path.path().ends_with("/UseKeys") => one_use(&message),
        Ok(Some(message)) if path.path().ends_with("/RewrapDataKeys") => data_key(&message),
        Ok(_) => "ok".to_owned(),
        Err(status) => refused(&status),
    }
}

/// What the one item of a batch was answered.
fn item(message: &Bytes) -> String {
    let batch = ward_proto::v1::BatchResponse::decode(message.clone()).unwrap();
    made(batch.results.into_iter().next())
}

/// What the one use of a stream was answered.
fn one_use(message: &Bytes) -> String {
    let answer = ward_proto::v1::UseKeysResponse::decode(message.clone()).unwrap();
    assert_eq!(answer.number, 7);
    made(answer.result)
}

fn made(result: Option<ward_proto::v1::BatchResult>) -> String {
    match result.and_then(|result| result.result) {
        Some(Made::Refused(refusal)) => refusal.reason,
        Some(_) => "ok".to_owned(),
        None => "nothing".to_owned(),
    }
}

/// What the one data key of a request was answered.
fn data_key(message: &Bytes) -> String {
    let moved = ward_proto::v1::RewrapDataKeysResponse::decode(message.clone()).unwrap();
    let reason = moved.results[0].reason.as_str();
    match reason {
        "" => "ok".to_owned(),
        reason => reason.to_owned(),
    }
}

fn refused(status: &Status) -> String {
    if let Some(reason) = status.metadata().get("ward-reason") {
        return reason.to_str().unwrap().to_owned();
    }
    // A status that the node sent has no cause here.
    match status.source() {
        Some(_) => "HUNG_UP".to_owned(),
        None => format!("{:?}", status.code()),
    }
}

/// Bytes as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
