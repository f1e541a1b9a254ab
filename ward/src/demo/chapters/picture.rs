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
    let heard = cast.tap.take();
    let found = memmem::find_iter(&heard.bytes, cast.patient.as_bytes()).count();
    let crossed = size(heard.count);
    story.tell(
        "crossed",
        format!("{crossed} of TLS; {found} times the name, and none of the image"),
    );
    if found > 0 || heard.count < image.len() as u64 {
        return Err(broken(
            "the image did not cross between the gateways as it should",
        ));
    }
    let objects = story
        .during("waiting for the archive", objects(cast))
        .await?;
    story.tell(
        "archived",
        format!("{objects} objects: one a message, one a step of the protocol"),
    );
    Ok(())
}

/// How many objects the association became, once they hold all of its image.
async fn objects(cast: &Cast<'_>) -> Result<usize, Failure> {
    let image_bytes = 2 * u64::from(SIDE) * u64::from(SIDE);
    super::archive::until("the image is not in the archive", || {
        let (mut count, mut bytes) = (0, 0);
        for object in super::archive::open(cast)?.list(of_scanner())? {
            count += 1;
            bytes += object?.bytes;
        }
        Ok((bytes > image_bytes).then_some(count))
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
