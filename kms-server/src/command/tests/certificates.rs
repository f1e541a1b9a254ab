//! RecordCertificate.

use super::*;

#[test]
fn certificates_are_recorded_for_who_exists() {
    let mut state = State::begun();
    state.refuse(
        certificate(Role::App, "app", 1, 9),
        Refusal::IdentityNotFound,
    );
    state.refuse(
        certificate(Role::Device, "mon-1", 1, 9),
        Refusal::DeviceNotFound,
    );
    state.run(enroll("mon-1", "device/mon-1", 1)).unwrap();
    let later = u64::MAX;
    state
        .run(certificate(Role::Device, "mon-1", 1, START + 1))
        .unwrap();
    state.now_ms += 10;
    for key in 2..=9 {
        state
            .run(certificate(Role::Device, "mon-1", key, later))
            .unwrap();
    }
    let device = state.index.identity(Role::Device, "mon-1").unwrap();
    assert_eq!(device.keys.len(), IDENTITY_KEYS_MAX);
    assert!(!device.honours(&[1; 32]), "it had ended");
    assert_eq!(state.index.counters().identity_epoch, 0);
    // One more pushes a key out that was still good: that is a loss.
    state
        .run(certificate(Role::Device, "mon-1", 10, later))
        .unwrap();
    let device = state.index.identity(Role::Device, "mon-1").unwrap();
    assert!(!device.honours(&[2; 32]) && device.honours(&[10; 32]));
    assert_eq!(state.index.counters().identity_epoch, 1);
}
