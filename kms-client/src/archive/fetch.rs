//! Finds one object and opens it as a stream.

use std::io;

use envelope::OpenFailed;
use envelope::context::EncryptionContext;
use envelope::id::ObjectId;
use envelope::object::{Opener, Prologue, SALT_AND_COMMITMENT_BYTES};
use envelope::secret::{SecretKey, SecretVec};
use envelope::segment::{Entry, Fragment};

use super::Archive;
use super::files::SideCars;
use super::keys::DataKeySource;
use super::object::{Begun, ObjectInfo, Place};
use super::walk::Walk;
use crate::reason::Reason;
use crate::{Error, Result};

/// An object's wrapped data key.
pub(super) struct Wrapped {
    pub(super) bytes: Vec<u8>,
    pub(super) context: EncryptionContext,
}

/// How the fragments of an object end.
pub(super) enum Ending {
    /// With its last fragment.
    Whole,
    /// With its flow, that the gateway lost.
    Truncated,
}

impl Archive {
    /// Opens object `id` and writes its bytes to `out`; nothing that is not authentic is written.
    ///
    /// # Errors
    ///
    /// `OBJECT_NOT_FOUND`; what the KMS answers for the data key; `STORAGE` for files and `out`.
    /// `OPEN_FAILED` when the object was changed or is [truncated](ObjectInfo::truncated): what was
    /// written until then is its true beginning, not the whole.
    pub async fn get(
        &self,
        id: ObjectId,
        keys: &impl DataKeySource,
        out: &mut impl io::Write,
    ) -> Result<ObjectInfo> {
        let begun = self.find(id)?;
        let (context, key) = self.data_key(&begun.info, keys).await?;
        self.open_object(&begun.info, &context, &key, out)
    }

    /// Finds the beginning of an object.
    pub(super) fn find(&self, id: ObjectId) -> Result<Begun> {
        let mut walk = Walk::new(&self.dir)?;
        loop {
            match walk.step() {
                Ok(Some(place)) => {
                    if let Some(begun) = begins(&walk.entry(), id, place) {
                        return Ok(begun);
                    }
                }
                Ok(None) => return Err(not_found(id)),
                // The object may stand behind the damage.
                Err(error) => tracing::warn!(%error, "passing by a damaged place"),
            }
        }
    }

    /// Opens the data key of an object; answers with it the context that it was wrapped under.
    pub(super) async fn data_key(
        &self,
        info: &ObjectInfo,
        keys: &impl DataKeySource,
    ) -> Result<(EncryptionContext, SecretKey)> {
        let mut side_cars = SideCars::new(&self.dir);
        let (context, key) = Self::data_key_in(&mut side_cars, info, keys).await?;
        Ok((context, key?))
    }

    /// Opens the data key of an object, with the side-car that is at hand. Where the version that
    /// it lies under may not be used any more, the gateway may have moved it to a newer one since
    /// the side-car was read: it is read again then.
    ///
    /// # Errors
    ///
    /// What is wrong with the archive; what the KMS answers stands inside.
    pub(super) async fn data_key_in(
        side_cars: &mut SideCars,
        info: &ObjectInfo,
        keys: &impl DataKeySource,
    ) -> Result<(EncryptionContext, Result<SecretKey>)> {
        let wrapped = Self::wrapped_in(side_cars, info)?;
        let opened = keys.unwrap_data_key(&wrapped.bytes, &wrapped.context).await;
        let too_old = |error: &Error| {
            [Reason::VersionDisabled, Reason::VersionTooOld].contains(&error.reason())
        };
        if !opened.as_ref().is_err_and(too_old) {
            return Ok((wrapped.context, opened));
        }
        side_cars.forget();
        let moved = Self::wrapped_in(side_cars, info)?;
        if moved.bytes == wrapped.bytes {
            return Ok((wrapped.context, opened));
        }
        let opened = keys.unwrap_data_key(&moved.bytes, &moved.context).await;
        Ok((moved.context, opened))
    }

    /// Finds the wrapped data key of an object, with the side-car that is at hand.
    pub(super) fn wrapped_in(side_cars: &mut SideCars, info: &ObjectInfo) -> Result<Wrapped> {
        let Some(key) = side_cars.find(info.place.sequence, &info.data_key_id)? else {
            let message = format!(
                "the side-car of object {} has no data key for it: restore the .keys file",
                info.object_id
            );
            return Err(Error::new(Reason::Storage, message));
        };
        Ok(Wrapped {
            bytes: key.wrapped.clone(),
            context: key.context.clone(),
        })
    }

    /// Opens an object with its data key; `context` is the one the data key was wrapped under.
    pub(super) fn open_object(
        &self,
        info: &ObjectInfo,
        context: &EncryptionContext,
        key: &SecretKey,
        out: &mut impl io::Write,
    ) -> Result<ObjectInfo> {
        let mut walk = Walk::from(&self.dir, info.place)?;
        let mut opener = None;
        let mut plaintext = SecretVec::new();
        let mut info = info.clone();
        let ending = follow(&mut walk, &info.clone(), |_, fragment| {
            if let Some(trailer) = fragment.trailer {
                info.bytes = trailer.plaintext_bytes;
                info.complete = trailer.complete;
            }
            let result = match &mut opener {
                None => start(key, context, fragment.bytes, &mut plaintext)
                    .map(|started| opener = Some(started)),
                Some(opener) => opener.update(fragment.bytes, &mut plaintext),
            };
            result.map_err(|failed| open_failed(&info, failed))?;
            hand_out(&mut plaintext, out)
        })?;
        let opener = opener.ok_or_else(|| open_failed(&info, OpenFailed))?;
        match ending {
            Ending::Truncated => return Err(truncated(&info)),
            Ending::Whole => {}
        }
        let bytes = opener
            .finish(&mut plaintext)
            .map_err(|failed| open_failed(&info, failed))?;
        if bytes != info.bytes {
            return Err(open_failed(&info, OpenFailed));
        }
        hand_out(&mut plaintext, out)?;
        Ok(info)
    }
}

/// Shows every fragment of an object, in order.
pub(super) fn follow(
    walk: &mut Walk,
    info: &ObjectInfo,
    mut show: impl FnMut(Place, &Fragment<'_>) -> Result<()>,
) -> Result<Ending> {
    loop {
        let place = match walk.step() {
            Ok(Some(place)) => place,
            Ok(None) => break,
            // Whether it hit this object is for the object's own encryption to tell.
            Err(error) => {
                tracing::warn!(%error, "passing by a damaged place");
                continue;
            }
        };
        match walk.entry() {
            Entry::Fragment(fragment) if fragment.object == info.object_id => {
                show(place, &fragment)?;
                if fragment.trailer.is_some() {
                    return Ok(Ending::Whole);
                }
            }
            Entry::FlowClosed(flow, _) if flow == info.flow => return Ok(Ending::Truncated),
            Entry::Fragment(_)
            | Entry::FlowClosed(..)
            | Entry::FlowOpened(..)
            | Entry::Gap(..)
            | Entry::Mark(_) => {}
        }
    }
    let id = info.object_id;
    let message = format!("object {id} is still being written: ask again once it is listed");
    Err(Error::new(Reason::ObjectNotFound, message))
}

/// Starts to open the object whose first fragment this is.
fn start(
    key: &SecretKey,
    context: &EncryptionContext,
    bytes: &[u8],
    plaintext: &mut SecretVec,
) -> Result<Opener, OpenFailed> {
    let Ok(Some((prologue, used))) = Prologue::parse(bytes) else {
        return Err(OpenFailed);
    };
    prologue.check_belongs_to(context)?;
    let (prologue, rest) = bytes.split_at(used);
    let Some((salt, sealed)) = rest.split_first_chunk::<SALT_AND_COMMITMENT_BYTES>() else {
        return Err(OpenFailed);
    };
    let mut opener = Opener::new(key, prologue, salt)?;
    opener.update(sealed, plaintext)?;
    Ok(opener)
}

fn hand_out(plaintext: &mut SecretVec, out: &mut impl io::Write) -> Result<()> {
    let written = out.write_all(plaintext.expose());
    plaintext.clear();
    written.map_err(cannot_write)
}

pub(super) fn cannot_write(error: io::Error) -> Error {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    let (reason, message) = if full.contains(&error.kind()) {
        (
            Reason::StorageFull,
            "no room for the object's bytes; free some space and get it again",
        )
    } else {
        (
            Reason::Storage,
            "cannot write the object's bytes to the output; check where it goes",
        )
    };
    Error::new(reason, message).with_source(error)
}

fn begins(entry: &Entry<'_>, id: ObjectId, place: Place) -> Option<Begun> {
    match entry {
        Entry::Fragment(part) if part.object == id && part.first => {
            Begun::parse(id, part.bytes, place)
        }
        Entry::Fragment(_)
        | Entry::FlowOpened(..)
        | Entry::FlowClosed(..)
        | Entry::Gap(..)
        | Entry::Mark(_) => None,
    }
}

fn not_found(id: ObjectId) -> Error {
    let message = format!("no object {id} in this archive: list it to see its objects");
    Error::new(Reason::ObjectNotFound, message)
}

pub(super) fn open_failed(info: &ObjectInfo, failed: OpenFailed) -> Error {
    let message = format!(
        "object {} {failed}; what was written so far is no whole",
        info.object_id
    );
    Error::new(Reason::OpenFailed, message)
}

fn truncated(info: &ObjectInfo) -> Error {
    let message = format!(
        "object {} lacks its end, the gateway was stopped in it; its true beginning was written",
        info.object_id
    );
    Error::new(Reason::OpenFailed, message)
}
