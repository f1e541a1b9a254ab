//! What is printed of the whole stack.

use std::path::Path;

use cluster_tests::scenario;

pub(super) fn hl7(ward: &Path, dir: &Path, messages: usize) {
    let Some(seen) = scenario::hl7::run(ward, dir, messages) else {
        println!("skipped: python-hl7 (install python3-hl7 or pip's hl7)");
        return;
    };
    println!(
        "{} messages, {} answers, in order",
        seen.messages.0, seen.messages.1
    );
    println!(
        "objects to-service {}, to-device {}",
        seen.objects.0, seen.objects.1
    );
    println!(
        "joined equal to {} bytes sent, {} bytes received",
        seen.bytes.0, seen.bytes.1
    );
}

pub(super) fn dicom(ward: &Path, dir: &Path, files: usize) {
    let Some(seen) = scenario::dicom::run(ward, dir, files) else {
        println!("skipped: {}", cluster_tests::dicom::TOOLS);
        return;
    };
    println!("{} files of pydicom", seen.files);
    println!(
        "storescu to storescp: {} directly, {} through Ward, all equal; {} data sets as in the file",
        seen.stored_directly, seen.stored, seen.as_sent
    );
    println!(
        "movescu, back through a reverse route: {} directly, {} through Ward, all equal",
        seen.retrieved_directly, seen.retrieved
    );
    println!(
        "connections of the device {}, of the server {}",
        seen.flows.0, seen.flows.1
    );
    for (kind, count) in &seen.objects {
        println!("  {kind:<20} {count:>5} objects");
    }
    println!(
        "joined equal to {} bytes to the service, {} bytes to the device",
        seen.bytes.0, seen.bytes.1
    );
}

pub(super) fn wire(ward: &Path, dir: &Path, messages: usize) {
    let seen = scenario::wire::run(ward, dir, messages).expect("packets can be captured");
    println!(
        "segments with a planted name on the device's leg {}, on the server's {} (control)",
        seen.on_the_legs.0, seen.on_the_legs.1
    );
    println!(
        "segments between the gateways: {} (control)",
        seen.between_gateways
    );
    println!(
        "segments with a planted name elsewhere on loopback: {}",
        seen.elsewhere
    );
    println!(
        "files under the data directory: {}, with a planted name: {}",
        seen.files.0, seen.files.1
    );
    println!(
        "objects that give the name back through the KMS: {} (control)",
        seen.opened
    );
}

pub(super) fn canaries(ward: &Path, dir: &Path) {
    let seen = scenario::canaries::run(ward, dir);
    println!(
        "planted {} canaries, searched in {} forms",
        seen.planted.0, seen.planted.1
    );
    for (kind, places, bytes) in &seen.searched {
        println!("  {kind:<8} {places:>5} places {bytes:>12} bytes");
    }
    for leak in &seen.leaks {
        println!(
            "FOUND {} as {}, {} times, in {}",
            leak.what, leak.form, leak.count, leak.place
        );
    }
    println!("found where none may be: {}", seen.leaks.len());
    println!("controls: {:?}", seen.controls);
}

pub(super) fn stranger(ward: &Path, dir: &Path) {
    let seen = scenario::stranger::run(ward, dir);
    for (who, bytes) in seen.tried {
        println!("{who}: {bytes} bytes given");
    }
    println!(
        "connections at the server behind the core: {}",
        seen.upstream_connections
    );
}

pub(super) fn kills(ward: &Path, dir: &Path, rounds: usize) {
    let seen = scenario::kills::run(ward, dir, rounds);
    println!("victim   next message ms   next key ms   failed messages   failed keys");
    for cut in &seen.cuts {
        println!(
            "{:<8} {:>15} {:>13} {:>17} {:>13}",
            cut.victim,
            cut.next_message.as_millis(),
            cut.next_key.as_millis(),
            cut.failed_messages,
            cut.failed_keys
        );
    }
    println!(
        "acknowledged keys {}, missing afterwards {}",
        seen.acknowledged, seen.missing
    );
    println!(
        "messages answered {}: archived {}, in a recorded gap {}, cut off {}, lost {} ({} objects, {} gaps)",
        seen.answered,
        seen.kept.archived,
        seen.kept.in_gaps,
        seen.kept.cut_off,
        seen.kept.lost.len(),
        seen.kept.objects,
        seen.kept.gaps
    );
    println!(
        "everything killed: `up` to the next answered message {} ms",
        seen.power_cut.as_millis()
    );
}

pub(super) fn disabled(ward: &Path, dir: &Path, rounds: usize) {
    let seen = scenario::disabled::run(ward, dir, rounds);
    println!(
        "refused with KEY_DISABLED: {} of {}",
        seen.refused, seen.tried
    );
    println!("decrypted while enabled: {} (control)", seen.opened_before);
}

pub(super) fn endings(ward: &Path, dir: &Path, rounds: usize) {
    let rows = scenario::endings::run(ward, dir, rounds);
    for row in &rows {
        let verdict = if row.same() { "same" } else { "DIFFERENT" };
        println!(
            "{verdict:<10} {:<45} direct: {}; pair: {}",
            row.name, row.direct, row.pair
        );
    }
    println!(
        "{} of {} the same",
        rows.iter().filter(|row| row.same()).count(),
        rows.len()
    );
}
