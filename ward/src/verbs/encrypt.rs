//! `ward encrypt`: standard input, of any size, to a stand-alone stream on standard output.
//!
//! One data key from the KMS, one object under it; the format is in docs/format.md.

use std::io::Read;

use envelope::id::ObjectId;
use envelope::object::{Prologue, Sealer};
use envelope::stream::StreamHeader;
use kms_client::model::DataKeyKind;
use zeroize::Zeroizing;

use super::client;
use crate::cli::{EncryptArguments, Global};
use crate::context::gather;
use crate::error::{Failure, Reason};
use crate::output::Stdout;

/// Encrypts.
pub(super) async fn run(global: &Global, arguments: EncryptArguments) -> Result<(), Failure> {
    let context = gather(&arguments.context)
        .map_err(|problem| Failure::new(Reason::INVALID_ARGUMENT, problem))?;
    let client = client(global)?;
    let data_key = client
        .generate_data_key(arguments.key, &context, DataKeyKind::Stream)
        .await?;
    let prologue = Prologue {
        object_id: ObjectId::random(),
        data_key_id: data_key.id,
        context: data_key.context,
    };
    let wrapped = data_key.wrapped;
    let header = StreamHeader { wrapped }.write().map_err(not_sealed)?;
    let mut sealer = Sealer::new(&data_key.secret, &prologue).map_err(not_sealed)?;
    let mut out = Stdout::lock();
    out.put(&header)?;
    out.put(sealer.header())?;
    let mut input = std::io::stdin().lock();
    let mut plaintext = Zeroizing::new(vec![0; READ_BYTES]);
    let mut sealed = Vec::new();
    loop {
        let count = match input.read(&mut plaintext) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::io("cannot read standard input", &error)),
        };
        sealer
            .update(&plaintext[..count], &mut sealed)
            .map_err(not_sealed)?;
        out.put(&sealed)?;
        sealed.clear();
    }
    sealer.finish(&mut sealed).map_err(not_sealed)?;
    out.put(&sealed)?;
    out.finish()
}

fn not_sealed(error: envelope::FormatError) -> Failure {
    Failure::told("INVALID_ARGUMENT", &error)
}

const READ_BYTES: usize = 64 * 1024;
