//! Everything is read back through the client library, and checked.

use std::time::Duration;

use kms_client::archive::{Archive, Direction, Filter};
use tokio::time::{sleep, timeout};

use super::{Cast, MONITOR};
use crate::demo::broken;
use crate::demo::story::{Story, size};
use crate::error::Failure;

/// From so long after a rotation on, objects are under the new version.
pub(super) const ROTATED_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn tell(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    story.chapter("An application reads the archive");
    story
        .during("waiting for the archive", settled(cast))
        .await?;
    let (client, archive) = (cast.client()?, open(cast)?);
    let (mut to_service, mut to_device, mut objects) = (Vec::new(), Vec::new(), 0);
    for object in archive.list(of_monitor())? {
        let object = object?;
        let out = match object.direction {
            Direction::ToService => &mut to_service,
            Direction::ToDevice => &mut to_device,
        };
        archive.get(object.object_id, &client, out).await?;
        objects += 1;
    }
    let bytes = cast.server.bytes();
    let equal = to_service == cast.sent && to_service == bytes.received && to_device == bytes.sent;
    if !equal {
        return Err(broken("what was archived is not what was sent"));
    }
    let (there, back) = (size(to_service.len() as u64), size(to_device.len() as u64));
    story.tell("opened", format!("{objects} objects, each through the KMS"));
    story.tell(
        "compared",
        format!("{there} to the server, {back} back: the bytes that were sent"),
    );

    let structure = archive.verify_structure()?;
    let report = archive.verify(Filter::default(), &client).await?;
    if !structure.is_sound() || !report.is_sound() {
        return Err(broken("the archive is not sound"));
    }
    let verified = format!(
        "{} objects open, {} gaps, nothing is missing",
        report.opened, report.gaps
    );
    story.tell("verified", verified);
    Ok(())
}

/// The archive of the stack.
pub(super) fn open(cast: &Cast<'_>) -> Result<Archive, Failure> {
    Ok(Archive::open(cast.home.dir())?)
}

/// Waits until everything that passed is listed.
pub(super) async fn settled(cast: &Cast<'_>) -> Result<(), Failure> {
    let bytes = cast.server.bytes();
    let expected = (bytes.received.len() + bytes.sent.len()) as u64;
    until("what passed is not in the archive", || {
        let mut listed = 0;
        for object in open(cast)?.list(of_monitor())? {
            listed += object?.bytes;
        }
        Ok((listed >= expected).then_some(()))
    })
    .await
}

/// Looks until there is what is looked for; says that it is `missing` when it does not come.
pub(super) async fn until<T>(
    missing: &str,
    look: impl Fn() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let looking = async {
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            sleep(INTERVAL).await;
        }
    };
    match timeout(PATIENCE, looking).await {
        Ok(found) => found,
        Err(_) => Err(broken(missing)),
    }
}

fn of_monitor() -> Filter {
    Filter {
        device: Some(MONITOR.into()),
    }
}

const INTERVAL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);
