//! EnrollDevice.

use super::*;

#[test]
fn a_device_comes_with_its_key_or_not_at_all() {
    let mut state = State::begun();
    state.run(enroll("mon-1", "device/mon-1", 1)).unwrap();
    let device = state.index.device("mon-1").unwrap();
    let key = state.index.key_by_name("device/mon-1").unwrap();
    assert_eq!(device.key_id, key.key_id);

    state.refuse(enroll("mon-1", "device/mon-1", 2), Refusal::DeviceExists);
    state.refuse(enroll("mon-2", "device/mon-1", 2), Refusal::NameInvalid);
    state.refuse(enroll("mon-2", "mon-2", 2), Refusal::NameInvalid);
    state.refuse(enroll("Mon-2", "device/Mon-2", 2), Refusal::NameInvalid);
    state.refuse(enroll("mon-2", "device/mon-2", 1), Refusal::IdExists);
    assert!(state.index.device("mon-2").is_none());
}
