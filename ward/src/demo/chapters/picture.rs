//! A scanner stores an image through Ward, by DICOM.

use kms_client::archive::Filter;
use memchr::memmem;

use super::{Cast, SCANNER};
use crate::demo::broken;
use crate::demo::scanner::{self, SIDE};
use crate::demo::story::{Story, size, time};
use crate::error::{Failure, Reason};

pub(super) async fn tell(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    story.chapter("A scanner stores an image, by DICOM");
    cast.tap.take();
    let image = scanner::image(&cast.patient).map_err(|error| failed(&*error))?;
    let (port, sending) = (cast.scanner_port, image.clone());
    let begun = sys::clock::monotonic();
    let storing = tokio::task::spawn_blocking(move || scanner::store(port, &sending));
    let stored = story.during("storing", storing).await;
    stored
        .map_err(|_| broken("the scanner panicked"))?
        .map_err(|error| failed(&*error))?;
    let took = time(begun.elapsed());
    let arrived = cast.pacs.stored().map_err(|error| failed(&*error))?;
    if arrived != image {
        return Err(broken(
            "the image that arrived is not the one that was sent",
        ));
    }
    let bytes = size(image.len() as u64);
    let sent = format!("a CT image of {SIDE} × {SIDE}, {bytes}, stored and released in {took}");
    story.tell("sent", sent);
    story.tell(
        "arrived",
        "the same bytes; the answer is the archive system's own",
    );
    crossed(story, cast, &image)?;
    let archived = story.during("waiting for the archive", archived(cast));
    archived.await?;
    story.tell(
        "archived",
        format!("{OBJECTS} objects: one a message, one a step of the protocol"),
    );
    Ok(())
}

/// Looks for the patient and the picture in what crossed between the gateways.
fn crossed(story: &mut Story, cast: &Cast<'_>, image: &[u8]) -> Result<(), Failure> {
    let heard = cast.tap.take();
    let names = memmem::find_iter(&heard.bytes, cast.patient.as_bytes()).count();
    let rows = rows_in(&heard.bytes);
    let crossed = size(heard.count);
    story.tell(
        "crossed",
        format!("{crossed} of TLS; {names} times the name, {rows} rows of the image"),
    );
    if rows_in(image) != usize::from(SIDE) {
        return Err(broken("the control failed: the rows are not in the image"));
    }
    if names > 0 || rows > 0 || heard.count < image.len() as u64 {
        return Err(broken(
            "the image did not cross between the gateways as it should",
        ));
    }
    Ok(())
}

/// How many rows of the image begin somewhere in these bytes.
fn rows_in(bytes: &[u8]) -> usize {
    let begins = |row: &u16| {
        let pixels = scanner::row(*row).take(SEARCHED_PIXELS);
        let begin: Vec<u8> = pixels.flat_map(u16::to_le_bytes).collect();
        memmem::find(bytes, &begin).is_some()
    };
    (0..SIDE).filter(begins).count()
}

/// Waits until all of the association is in the archive, with the image.
async fn archived(cast: &Cast<'_>) -> Result<(), Failure> {
    let image_bytes = 2 * u64::from(SIDE) * u64::from(SIDE);
    super::archive::until("the association is not in the archive", || {
        let (mut count, mut bytes) = (0, 0);
        for object in super::archive::open(cast)?.list(of_scanner())? {
            count += 1;
            bytes += object?.bytes;
        }
        Ok((count == OBJECTS && bytes > image_bytes).then_some(()))
    })
    .await
}

fn of_scanner() -> Filter {
    Filter {
        device: Some(SCANNER.into()),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    let sentence = format!("the image could not be stored: {}", sys::talk::chain(error));
    Failure::new(Reason::UNAVAILABLE, sentence)
}

/// Each way: the association, the message, the release.
const OBJECTS: usize = 6;
/// Enough of a row to know it by.
const SEARCHED_PIXELS: usize = 16;
