//! Data keys: rotation, wrong keys, side-cars, and what never stands on disk.

use std::sync::atomic::{AtomicU64, Ordering};

use envelope::context::EncryptionContext;
use envelope::secret::SecretKey;
use kms_client::archive::DataKeySource;
use kms_client::reason::Reason;

use super::Rig;
use super::rig::{TestFlow, block_on, message, until};
use crate::ids::Protocol;

fn send(rig: &Rig, flow: &mut TestFlow, number: usize) {
    let before = rig.objects().len();
    flow.taps.to_service.record(&message(number));
    until("the object", || {
        (rig.objects().len() > before).then_some(())
    });
}

#[test]
fn objects_that_begin_after_a_rotation_use_the_new_version() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    send(&rig, &mut flow, 1);
    rig.keys.rotate();
    send(&rig, &mut flow, 2);
    let versions: Vec<_> = rig
        .objects()
        .iter()
        .map(|o| o.key_version.unwrap().0)
        .collect();
    assert_eq!(versions, [1, 2]);
    for (object, number) in rig.objects().iter().zip([1, 2]) {
        assert_eq!(rig.get(object).unwrap(), message(number));
    }
}

#[test]
fn other_keys_open_nothing_and_nothing_is_written() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    send(&rig, &mut flow, 1);
    let other = Rig::start();
    let object = &rig.objects()[0];
    let mut out = Vec::new();
    let refused = block_on(rig.reader().get(object.object_id, &*other.keys, &mut out));
    assert_eq!(refused.unwrap_err().reason(), Reason::OpenFailed);
    assert!(out.is_empty());
    let report = block_on(rig.reader().verify(Default::default(), &*other.keys)).unwrap();
    assert_eq!((report.opened, report.failed), (0, 1));
}

/// A KMS that answers every request with one refusal, and counts them.
struct Refusing(Reason, AtomicU64);

impl DataKeySource for Refusing {
    async fn unwrap_data_key(
        &self,
        _wrapped: &[u8],
        _context: &EncryptionContext,
    ) -> kms_client::Result<SecretKey> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Err(kms_client::Error::new(self.0, "refused"))
    }
}

#[test]
fn a_kms_that_gives_no_key_is_no_damage_of_the_archive() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    send(&rig, &mut flow, 1);
    send(&rig, &mut flow, 2);
    let verify = |reason| {
        let keys = Refusing(reason, AtomicU64::new(0));
        let report = block_on(rig.reader().verify(Default::default(), &keys)).unwrap();
        assert_eq!((report.failed, report.is_sound()), (0, false), "{reason}");
        let why = report.stopped.map(|error| error.reason());
        (report.withheld, why, keys.1.into_inner())
    };
    for reason in [Reason::Unavailable, Reason::Unauthenticated] {
        assert_eq!(verify(reason), (0, Some(reason), 1), "asked once");
    }
    assert_eq!(verify(Reason::Denied), (2, None, 2));
}

#[test]
fn a_changed_byte_is_found_by_both_checks_and_never_written() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    send(&rig, &mut flow, 1);
    send(&rig, &mut flow, 2);
    let object = rig.objects()[0].clone();
    let path = rig.path().join("0000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    // The first object's last sealed byte stands before trailer and checksum of its fragment.
    let id = object.object_id.as_bytes();
    let at = bytes.windows(16).position(|window| window == id).unwrap();
    let length = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
    bytes[at + 16 + length - 18] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let structure = rig.reader().verify_structure().unwrap();
    assert_eq!(
        (structure.damaged, structure.objects),
        (1, 1),
        "{structure:?}"
    );
    assert!(!structure.is_sound());
    // With a checksum that fits, only the object's own encryption can tell.
    let end = at + 16 + length;
    let sum = envelope::segment::checksum(&bytes[at - 8..end]);
    bytes[end..end + 4].copy_from_slice(&sum.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert!(rig.reader().verify_structure().unwrap().is_sound());
    assert_eq!(rig.get(&object).unwrap_err().reason(), Reason::OpenFailed);
    let report = block_on(rig.reader().verify(Default::default(), &*rig.keys)).unwrap();
    assert_eq!((report.opened, report.failed), (1, 1));
    assert_eq!(report.failures[0].object, Some(object.object_id));
}

#[test]
fn an_unknown_object_is_not_found() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    send(&rig, &mut flow, 1);
    let unknown = envelope::id::ObjectId::random();
    let mut out = Vec::new();
    let refused = block_on(rig.reader().get(unknown, &*rig.keys, &mut out)).unwrap_err();
    assert_eq!(refused.reason(), Reason::ObjectNotFound);
}

#[test]
fn no_payload_stands_in_the_files() {
    let rig = Rig::start();
    let canary = b"CANARY^PATIENT^NAME";
    let mut flow = rig.open(Protocol::Hl7);
    for _ in 0..50 {
        let message = [b"\x0bPID|", &canary[..], b"\x1c\r"].concat();
        flow.taps.to_service.record(&message);
        flow.taps.to_device.record(&canary.repeat(5_000));
    }
    rig.close(flow);
    rig.flush();
    let found = |needle: &[u8]| {
        let files = std::fs::read_dir(rig.path()).unwrap();
        let holds = |path| {
            std::fs::read(path)
                .unwrap()
                .windows(needle.len())
                .any(|w| w == needle)
        };
        files
            .filter(|file| holds(file.as_ref().unwrap().path()))
            .count()
    };
    assert_eq!(found(canary), 0);
    assert!(
        found(b"mon-1") > 0,
        "positive control: what is in clear is found"
    );
    let object = &rig.objects()[0];
    assert!(
        rig.get(object)
            .unwrap()
            .windows(canary.len())
            .any(|window| window == canary)
    );
}
