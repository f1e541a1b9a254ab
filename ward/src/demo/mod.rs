//! `ward demo`: a story of two devices that know no encryption, told while it happens.
//!
//! `stack` runs `ward up`, `monitor` and `scanner` are the devices and the services they talk to,
//! `tap` is somebody who listens between the gateways, `story` writes. Each chapter is a file; it
//! tells what it has just measured, and a measurement that is not as promised ends the demo with a
//! failure.

mod chapters;
mod monitor;
mod scanner;
mod stack;
mod story;
mod tap;

use std::path::PathBuf;

use crate::error::{Failure, Reason};
use crate::runtime;
use chapters::Cast;
use stack::Home;
use story::Story;

/// Tells the whole story. The data stays in `dir`, or goes away at the end where there is none.
pub(crate) fn run(dir: Option<PathBuf>) -> Result<(), Failure> {
    let home = Home::make(dir)?;
    runtime::block_on_threads(async {
        let stop = sys::shutdown::requested(false);
        let mut story = Story::begin();
        let mut cast = Cast::meet(&home).await?;
        let told = tokio::select! {
            told = chapters::tell(&mut story, &mut cast) => told,
            _ = stop => Err(Failure::new(Reason::INTERRUPTED, "the demo was stopped")),
        };
        let stopped = story.during("stopping", cast.leave()).await;
        told.and(stopped)?;
        story.end(&home)
    })
}

/// Something that Ward promises was not so.
fn broken(promise: impl Into<String>) -> Failure {
    Failure::new(Reason::INTERNAL, promise.into())
}
