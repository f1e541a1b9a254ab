//! `ward decrypt`: a stand-alone stream on standard input back to its plaintext.
//!
//! Only authenticated chunks are written. A stream that turns out to be cut short or changed ends
//! with OPEN_FAILED and exit code 1, so that what was written so far is not taken for the whole.

use std::io::{Read, StdinLock};

use envelope::context::{EncryptionContext, reserved};
use envelope::object::{Opener, Prologue, SALT_AND_COMMITMENT_BYTES};
use envelope::secret::SecretVec;
use envelope::stream::StreamHeader;
use envelope::{FormatError, OpenFailed};
use kms_client::reason::Reason as KmsReason;

use super::client;
use crate::cli::{DecryptArguments, Global};
use crate::context::gather;
use crate::error::{Failure, Reason};
use crate::output::Stdout;

/// Decrypts.
pub(super) async fn run(global: &Global, arguments: DecryptArguments) -> Result<(), Failure> {
    let given = gather(&arguments.context)
        .map_err(|problem| Failure::new(Reason::INVALID_ARGUMENT, problem))?;
    let client = client(global)?;
    let mut input = Input::lock();
    let stream = input.parse(StreamHeader::parse)?;
    let (prologue, prologue_bytes) = input.parse_with_bytes(Prologue::parse)?;
    let context = wrap_context(&prologue.context, &given)?;
    prologue.check_belongs_to(&context).map_err(not_opened)?;
    let unwrapped = client.unwrap_data_key(&stream.wrapped, &context).await;
    let data_key = unwrapped.map_err(|error| {
        // The key's id is part of the stream: what cannot be found was changed, or is foreign.
        if error.reason() == KmsReason::KeyNotFound {
            return not_opened(OpenFailed);
        }
        error.into()
    })?;
    let salt_and_commitment: [u8; SALT_AND_COMMITMENT_BYTES] = input.take_array()?;
    let mut opener =
        Opener::new(&data_key.secret, &prologue_bytes, &salt_and_commitment).map_err(not_opened)?;
    let mut out = Stdout::lock();
    let mut plaintext = SecretVec::new();
    loop {
        let sealed = input.next()?;
        if sealed.is_empty() {
            break;
        }
        opener.update(&sealed, &mut plaintext).map_err(not_opened)?;
        out.put(plaintext.expose())?;
        plaintext.clear();
    }
    opener.finish(&mut plaintext).map_err(not_opened)?;
    out.put(plaintext.expose())?;
    out.finish()
}

/// What the data key must have been wrapped under: the caller's pairs, all of them and no others,
/// with Ward's own from the stream. The stream's other pairs are not believed.
fn wrap_context(
    stream: &EncryptionContext,
    given: &EncryptionContext,
) -> Result<EncryptionContext, Failure> {
    let mut context = given.clone();
    for name in [reserved::DATA_KEY, reserved::KIND, reserved::DEVICE] {
        if let Some(value) = stream.get(name) {
            context.insert_reserved(name, value).map_err(malformed)?;
        }
    }
    Ok(context)
}

/// Standard input, with what was read too far.
struct Input {
    input: StdinLock<'static>,
    ahead: Vec<u8>,
}

impl Input {
    fn lock() -> Self {
        Self {
            input: std::io::stdin().lock(),
            ahead: Vec::new(),
        }
    }

    fn parse<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, FormatError>,
    ) -> Result<T, Failure> {
        Ok(self.parse_with_bytes(parse)?.0)
    }

    /// Reads until `parse`, which refuses overlong input itself, has enough.
    fn parse_with_bytes<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, FormatError>,
    ) -> Result<(T, Vec<u8>), Failure> {
        loop {
            if let Some((value, used)) = parse(&self.ahead).map_err(malformed)? {
                let rest = self.ahead.split_off(used);
                return Ok((value, std::mem::replace(&mut self.ahead, rest)));
            }
            self.read_more()?;
        }
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        loop {
            if let Some((array, rest)) = self.ahead.split_first_chunk::<N>() {
                let array = *array;
                self.ahead = rest.to_vec();
                return Ok(array);
            }
            self.read_more()?;
        }
    }

    /// Appends at least one byte, or refuses an input that ends inside a header.
    fn read_more(&mut self) -> Result<(), Failure> {
        let more = self.read()?;
        if more.is_empty() {
            return Err(not_opened(OpenFailed));
        }
        self.ahead.extend_from_slice(&more);
        Ok(())
    }

    /// The next bytes; empty at the end.
    fn next(&mut self) -> Result<Vec<u8>, Failure> {
        if self.ahead.is_empty() {
            return self.read();
        }
        Ok(std::mem::take(&mut self.ahead))
    }

    fn read(&mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match self.input.read(&mut bytes) {
                Ok(count) => {
                    bytes.truncate(count);
                    return Ok(bytes);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::io("cannot read standard input", &error)),
            }
        }
    }
}

fn not_opened(_: OpenFailed) -> Failure {
    let sentence = "the stream cannot be opened: wrong key or context, or it was changed or cut \
                    short; give the --context pairs of `ward encrypt`, or fetch the stream again";
    Failure::new(Reason::OPEN_FAILED, sentence)
}

fn malformed(error: FormatError) -> Failure {
    Failure::told("OPEN_FAILED", &error).of("the stream")
}

const READ_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wards_own_pairs_come_from_the_stream() {
        let mut stream = EncryptionContext::new();
        stream.insert_reserved(reserved::DATA_KEY, "00").unwrap();
        stream.insert_reserved(reserved::KIND, "stream").unwrap();
        stream.insert("patient", "1").unwrap();
        let mut given = EncryptionContext::new();
        given.insert("ward", "3").unwrap();
        let context = wrap_context(&stream, &given).unwrap();
        let names: Vec<_> = context.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["ward", "ward:dk", "ward:kind"]);
    }
}
