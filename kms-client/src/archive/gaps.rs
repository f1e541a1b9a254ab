//! Lists what was forwarded and not kept.

use std::path::Path;

use envelope::id::FlowId;
use envelope::segment::{Entry, Gap};

use super::walk::Walk;
use crate::Result;

/// A gap and the flow it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapInfo {
    /// The flow; zeros when whole flows were not kept.
    pub flow: FlowId,
    /// Why, when, and which bytes.
    pub gap: Gap,
}

/// The gaps of an archive, in the order they were recorded.
#[derive(Debug)]
pub struct Gaps {
    walk: Walk,
}

impl Gaps {
    pub(super) fn new(dir: &Path) -> Result<Self> {
        Ok(Self {
            walk: Walk::new(dir)?,
        })
    }
}

impl Iterator for Gaps {
    type Item = Result<GapInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.walk.step() {
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
                Ok(Some(_)) => {}
            }
            if let Entry::Gap(flow, gap) = self.walk.entry() {
                return Some(Ok(GapInfo { flow, gap }));
            }
        }
    }
}
