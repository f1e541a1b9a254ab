//! Lists objects in the order in which they began.

use std::collections::VecDeque;
use std::path::Path;

use envelope::blob::BlobHeader;
use envelope::id::KeyVersion;
use envelope::segment::Entry;

use super::files::SideCars;
use super::object::{Begun, Filter, ObjectInfo};
use super::order::Order;
use super::walk::Walk;
use crate::{Error, Result};

/// The objects of an archive that have ended, oldest first.
///
/// An object that is still open keeps back those that began after it, so that the order holds; at
/// the end of the archive they are released. An error names a damaged place; the iteration goes on
/// behind it. A side-car that cannot be read takes only the key versions away; it is told at the
/// end.
#[derive(Debug)]
pub struct Objects {
    walk: Walk,
    filter: Filter,
    side_cars: SideCars,
    order: Order,
    /// The last segment whose side-car could not be read.
    unreadable: Option<u64>,
    /// What to tell of them once the objects are listed, which need no side-car.
    errors: VecDeque<Error>,
}

impl Objects {
    pub(super) fn new(dir: &Path, filter: Filter) -> Result<Self> {
        let (walk, side_cars) = (Walk::new(dir)?, SideCars::new(dir));
        Ok(Self {
            walk,
            filter,
            side_cars,
            order: Order::default(),
            unreadable: None,
            errors: VecDeque::new(),
        })
    }

    /// Reads one entry; `false` at the end of the archive.
    fn advance(&mut self) -> Result<bool> {
        let Some(place) = self.walk.step()? else {
            return Ok(false);
        };
        match self.walk.entry() {
            Entry::Fragment(fragment) => {
                if fragment.first {
                    let begun = Begun::parse(fragment.object, fragment.bytes, place);
                    let wanted = begun.filter(|begun| self.filter.lets_through(&begun.info));
                    if let Some(mut begun) = wanted {
                        let version = key_version(&mut self.side_cars, &begun.info);
                        begun.info.key_version = version.unwrap_or_else(|error| {
                            if self.unreadable.replace(place.sequence) != Some(place.sequence) {
                                self.errors.push_back(error);
                            }
                            None
                        });
                        self.order.begin(begun);
                    }
                } else {
                    self.order.goes_on(&fragment);
                }
                if let Some(trailer) = fragment.trailer {
                    self.order.end(&fragment.object, trailer);
                }
            }
            Entry::FlowClosed(flow, _) => self.order.flow_closed(flow),
            Entry::FlowOpened(..) | Entry::Gap(..) | Entry::Mark(_) => {}
        }
        Ok(true)
    }
}

impl Iterator for Objects {
    type Item = Result<ObjectInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(info) = self.order.release() {
                return Some(Ok(info));
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) if self.order.is_empty() => return self.errors.pop_front().map(Err),
                Ok(false) => self.order.pass_open(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Which version of its key wraps an object's data key.
fn key_version(side_cars: &mut SideCars, info: &ObjectInfo) -> Result<Option<KeyVersion>> {
    let key = side_cars.find(info.place.sequence, &info.data_key_id)?;
    let header = key.and_then(|key| BlobHeader::parse(&key.wrapped).ok());
    Ok(header.map(|header| header.key_version))
}
