//! What apply reads of a sealed record: its clear fields, here and nowhere else.
//!
//! A record that stands in the state and does not fit there would be found only when somebody
//! needs it. So it is refused before it is kept, by every replica alike, for the clear fields need
//! no key. Called by each command that brings a record.

use envelope::id::ClusterId;
use envelope::record::RecordHeader;

use super::Refusal;
use crate::keyring::Place;
use crate::replica::limits::SEALED_BYTES_MAX;
use crate::state::Sealed;

/// Takes `record` as the successor of `former` at `place`.
///
/// # Errors
/// [`Refusal::Conflict`] when its revision is not the next: it was sealed for a state that is no
/// longer the newest, and the leader seals again. [`Refusal::RecordUnfit`] when it is no record, or
/// another cluster's, key's or kind's: that only an error of a leader's program brings about.
pub(super) fn fit(
    cluster_id: ClusterId,
    place: &Place,
    former: Option<&Sealed>,
    record: &[u8],
) -> Result<Sealed, Refusal> {
    if record.len() > SEALED_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    let header = RecordHeader::parse(record).map_err(|_| Refusal::RecordUnfit)?;
    if header.cluster_id != cluster_id || !place.holds(&header) {
        return Err(Refusal::RecordUnfit);
    }
    let next = former.map_or(Some(1), |former| former.revision.checked_add(1));
    if next != Some(header.revision) {
        return Err(Refusal::Conflict);
    }
    Ok(Sealed {
        revision: header.revision,
        record: record.to_vec(),
    })
}
