//! DCMTK on both ends: files go to a server, and come back from another one that connects to the
//! device by itself. What arrives is what arrives without Ward; the archive is the stream.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::dicom::{Recorder, Said, Server, TestFile, test_files};
use crate::files;
use crate::stack::{Plan, Stack, free_addresses};
use crate::wait;

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Files that pydicom has.
    pub files: usize,
    /// Files that `storescu` sends to `storescp` without Ward.
    pub stored_directly: usize,
    /// Files that arrived through Ward, each equal to what arrived directly.
    pub stored: usize,
    /// Among them those whose data set is, byte for byte, the end of the file that was sent.
    pub as_sent: usize,
    /// Files that `movescu` gets back without Ward.
    pub retrieved_directly: usize,
    /// Files that came back through Ward, each equal to what came back directly.
    pub retrieved: usize,
    /// Connections of devices, and of servers.
    pub flows: (usize, usize),
    /// Objects by kind of message.
    pub objects: BTreeMap<String, usize>,
    /// Bytes that are the same in the archive and on the wire, to the service and to the device.
    pub bytes: (usize, usize),
}

/// Where everything is: through Ward or not.
struct Way {
    /// Where a device finds `storescp`.
    store: SocketAddr,
    /// Where a device finds `dcmqrscp`.
    query: SocketAddr,
    /// Where `dcmqrscp` finds the device.
    device: SocketAddr,
    dir: PathBuf,
}

/// The addresses the peers themselves listen on.
#[derive(Clone, Copy)]
struct Peers {
    store: SocketAddr,
    query: SocketAddr,
    device: SocketAddr,
}

/// What came of a file: what the server stored, and what the device got back.
type Outcome = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Runs it with at most so many files; `None` when a tool is missing.
///
/// # Panics
/// When anything differs.
pub fn run(ward: &Path, dir: &Path, files_max: usize) -> Option<Report> {
    let files = test_files()?;
    let step = files.len().div_ceil(files_max).max(1);
    let files: Vec<TestFile> = files.into_iter().step_by(step).collect();
    let [store, query, device] = free_addresses();
    let peers = Peers {
        store,
        query,
        device,
    };
    let direct = Way {
        store,
        query,
        device,
        dir: dir.join("direct"),
    };
    let directly: Vec<Outcome> = files
        .iter()
        .map(|file| send(file, &direct, peers))
        .collect();

    let mut plan = Plan::new(ward, dir.join("data")).nodes(1);
    let to_store = Recorder::start(plan.route("ct-1", "dicom", store));
    let to_query = Recorder::start(plan.route("ct-1", "dicom", query));
    let to_device = Recorder::start(plan.reverse_route("ct-1", "dicom", device));
    let stack = plan.start();
    let through = Way {
        store: to_store.address,
        query: to_query.address,
        device: to_device.address,
        dir: dir.join("through"),
    };
    let mut report = Report {
        files: files.len(),
        ..Report::default()
    };
    for (file, directly) in files.iter().zip(directly) {
        let outcome = send(file, &through, peers);
        assert!(
            outcome == directly,
            "{} differs through Ward",
            file.path.display()
        );
        count(&mut report, file, &outcome);
    }
    // Bytes towards the service, and towards the device.
    let forward = [to_store.said(), to_query.said()].concat();
    let reverse = to_device.said();
    report.flows = (forward.len(), reverse.len());
    let turned = reverse.into_iter().map(|said| Said {
        there: said.back,
        back: said.there,
    });
    check_archive(
        &stack,
        forward.into_iter().chain(turned).collect(),
        &mut report,
    );
    stack.stop();
    Some(report)
}

fn count(report: &mut Report, file: &TestFile, (stored, retrieved): &Outcome) {
    // The outcomes are equal, so both are counted from one.
    if let Some(stored) = stored {
        report.stored_directly += 1;
        report.stored += 1;
        let original = fs::read(&file.path).expect("pydicom's own file");
        report.as_sent += usize::from(original.ends_with(data_set(stored)));
    }
    if retrieved.is_some() {
        report.retrieved_directly += 1;
        report.retrieved += 1;
    }
}

/// Stores a file at one server; stores it at the other and gets it back.
fn send(file: &TestFile, way: &Way, peers: Peers) -> Outcome {
    if way.dir.exists() {
        fs::remove_dir_all(&way.dir).expect("a folder of ours");
    }
    let (kept, back) = (way.dir.join("kept"), way.dir.join("back"));
    fs::create_dir_all(&back).expect("a writable folder");
    let server = Server::storescp(peers.store, &kept);
    let stored = file.store(way.store).then(|| only_file(&kept)).flatten();
    drop(server);
    let server = Server::dcmqrscp(peers.query, &way.dir.join("pacs"), way.device, file);
    let there = file.store(way.query) && !file.study.is_empty();
    let came = there && file.retrieve(way.query, peers.device.port(), &back);
    drop(server);
    (stored, came.then(|| only_file(&back)).flatten())
}

fn only_file(dir: &Path) -> Option<Vec<u8>> {
    match &files::below(dir)[..] {
        [] => None,
        [file] => Some(fs::read(file).expect("a file of ours")),
        _ => panic!("more than one file in {}", dir.display()),
    }
}

/// What stands behind the preamble and the meta information of a file that DCMTK wrote.
fn data_set(file: &[u8]) -> &[u8] {
    let length = file.get(140..144).and_then(|bytes| bytes.try_into().ok());
    let meta = length.map_or(0, |length| u32::from_le_bytes(length) as usize);
    file.get(144 + meta..).unwrap_or_default()
}

/// The objects of each flow and direction, joined, are what its connection said.
fn check_archive(stack: &Stack, mut said: Vec<Said>, report: &mut Report) {
    // Ward refuses nothing here, so that what said nothing was the test's own probe.
    said.retain(|said| *said != Said::default());
    let sent: usize = said
        .iter()
        .map(|said| said.there.len() + said.back.len())
        .sum();
    let objects = wait::within(wait::DEADLINE, || {
        let objects = stack.objects();
        let sizes = objects.iter().filter_map(|object| object["bytes"].as_u64());
        (sizes.sum::<u64>() == sent as u64).then_some(objects)
    })
    .unwrap_or_else(|| stack.objects());
    let mut flows = BTreeMap::<String, Said>::new();
    for object in &objects {
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        *report.objects.entry(text("message")).or_default() += 1;
        let output = stack.ward(&["archive", "get", &text("object_id")]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let flow = flows.entry(text("flow")).or_default();
        match text("direction").as_str() {
            "to-service" => flow.there.extend(output.stdout),
            _ => flow.back.extend(output.stdout),
        }
    }
    let mut archived: Vec<Said> = flows.into_values().collect();
    archived.sort();
    said.sort();
    assert_eq!(
        archived.len(),
        said.len(),
        "flows in the archive and on the wire"
    );
    assert!(archived == said, "the archive differs from what was said");
    let size = |part: fn(&Said) -> &Vec<u8>| said.iter().map(|said| part(said).len()).sum();
    report.bytes = (size(|said| &said.there), size(|said| &said.back));
}
