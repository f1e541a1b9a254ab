//! What stands in clear in front of an object: read from its bytes, proven when it is opened, and
//! there however slowly the bytes come.

use std::time::Duration;

use super::Rig;
use super::rig::{block_on, until};
use crate::ids::Protocol;
use crate::observe::dicom_tests::{associate, conversation, store};

/// The kinds of the messages in the archive, once there are so many.
fn kinds(rig: &Rig, count: usize) -> Vec<String> {
    let objects = until("the objects", || {
        let objects = rig.objects();
        (objects.len() == count).then_some(objects)
    });
    let kind = |label: &std::collections::BTreeMap<_, String>| label.get("message").cloned();
    objects
        .iter()
        .map(|object| kind(&object.label).unwrap_or_default())
        .collect()
}

const KINDS: [&str; 4] = ["A-ASSOCIATE-RQ", "C-ECHO-RQ", "C-STORE-RQ", "A-RELEASE-RQ"];

#[test]
fn each_object_says_what_it_is_and_opening_proves_it() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Dicom);
    flow.taps.to_service.record(&conversation().concat());
    assert_eq!(kinds(&rig, 4), KINDS);
    for (object, bytes) in rig.objects().iter().zip(conversation()) {
        assert_eq!(object.label["calling_ae"], "CT-1");
        assert_eq!(object.label["called_ae"], "PACS");
        assert_eq!(rig.get(object).unwrap(), bytes);
    }
    let report = block_on(rig.reader().verify(Default::default(), &*rig.keys)).unwrap();
    assert_eq!((report.opened, report.failed), (4, 0));
    rig.close(flow);
}

#[test]
fn a_label_that_comes_byte_by_byte_is_waited_for() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Dicom);
    for byte in conversation().concat() {
        flow.taps.to_service.record(&[byte]);
    }
    assert_eq!(kinds(&rig, 4), KINDS);
    rig.close(flow);
}

#[test]
fn a_label_is_not_waited_for_long() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Dicom);
    let stream = store(&[1; 100], 50);
    flow.taps.to_service.record(&stream[..20]);
    let begun = sys::clock::monotonic();
    until("the object on disk, without its label", || {
        rig.flush();
        (rig.reader().verify_structure().unwrap().open == 1).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(1));
    flow.taps.to_service.record(&stream[20..]);
    assert_eq!(kinds(&rig, 1), [""]);
    assert_eq!(rig.get(&rig.objects()[0]).unwrap(), stream);
    rig.close(flow);
}

#[test]
fn a_long_association_is_labelled_by_its_beginning() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Dicom);
    // As long as a PDU may be that names 128 contexts many times over.
    let mut stream = associate(1, 128);
    let filler = vec![0; 60_000];
    stream.extend([&[0x40, 0], &60_000_u16.to_be_bytes()[..], &filler].concat());
    let length = u32::try_from(stream.len() - 6).unwrap();
    stream[2..6].copy_from_slice(&length.to_be_bytes());
    for piece in stream.chunks(1_000) {
        flow.taps.to_service.record(piece);
    }
    assert_eq!(kinds(&rig, 1), ["A-ASSOCIATE-RQ"]);
    let object = &rig.objects()[0];
    assert_eq!(object.label["calling_ae"], "CT-1");
    assert_eq!(rig.get(object).unwrap(), stream);
    rig.close(flow);
}

#[test]
fn a_flow_that_ends_before_the_label_is_known_keeps_its_bytes() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Dicom);
    flow.taps.to_service.record(&associate(1, 1)[..50]);
    rig.close(flow);
    assert_eq!(kinds(&rig, 1), ["A-ASSOCIATE-RQ"]);
    let object = &rig.objects()[0];
    assert!(!object.complete && !object.label.contains_key("calling_ae"));
    assert_eq!(rig.get(object).unwrap(), associate(1, 1)[..50]);
}
