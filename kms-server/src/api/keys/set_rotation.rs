//! SetKeyRotation: how often the cluster rotates a key.

use ward_proto::admin::v1::{SetKeyRotationRequest, SetKeyRotationResponse};

use super::change::Change;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::write::OnConflict;
use crate::command::{Command, Refusal, SetKeyRotation};
use crate::policy::Action;
use crate::state::{EARLY_DIVISOR, PERIOD_MAX_S, PERIOD_MIN_S};
use crate::vault::VaultError;

/// Serves SetKeyRotation.
pub(crate) async fn set_rotation(
    call: &Call,
    request: SetKeyRotationRequest,
) -> Result<SetKeyRotationResponse, Failure> {
    let period_s = request.period_s;
    if period_s != 0 && !(PERIOD_MIN_S..=PERIOD_MAX_S).contains(&period_s) {
        return Err(Refusal::PeriodInvalid.into());
    }
    let early_s = draw(period_s / EARLY_DIVISOR)?;
    let change = Change {
        action: Action::SetKeyRotation,
        key: request.key.as_ref(),
        version: None,
        on_conflict: OnConflict::Retry,
        revokes: false,
        command: |_: &Call, found: &FoundKey| {
            Ok(Command::SetKeyRotation(SetKeyRotation {
                key_id: found.key_id,
                period_s,
                early_s,
            }))
        },
    };
    let write = request.write.as_ref();
    let (key, index) = change.carry_out(call, &request, write).await?;
    Ok(SetKeyRotationResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// A number from 0 to `most`. It spreads load and guards nothing, so it need not be quite even.
fn draw(most: u32) -> Result<u32, Failure> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 4];
    let drawn = SystemRandom::new().fill(&mut bytes);
    drawn.map_err(|_| VaultError::NoRandom)?;
    Ok(u32::from_be_bytes(bytes) % most.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_differs_and_is_within_its_bounds() {
        let drawn: std::collections::BTreeSet<_> = (0..100).map(|_| draw(9).unwrap()).collect();
        assert!(
            drawn.len() > 1 && drawn.iter().all(|it| *it <= 9),
            "{drawn:?}"
        );
        assert_eq!(draw(0).unwrap(), 0);
        draw(u32::MAX).unwrap();
    }
}
