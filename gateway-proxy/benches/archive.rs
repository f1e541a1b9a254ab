//! What archiving costs: the added time of `record` on a data thread, and the speed at which the
//! archive's thread cuts, seals and makes durable.
//!
//! `just bench-archive`. The folder is a temporary one: the disk under it is part of the result.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "its output is the result")]

use std::sync::Arc;
use std::time::Duration;

use envelope::context::{EncryptionContext, reserved};
use envelope::id::{DataKeyId, FlowId};
use envelope::secret::SecretKey;
use envelope::segment::SideCarKey;
use gateway_proxy::archive::{Archive, DataKeys, Lease, Leased, Settings};
use gateway_proxy::capture::{CaptureSink, FlowInfo, FlowTaps, NoCapture};
use gateway_proxy::ids::{DeviceId, Protocol};

const PAIRS: usize = 20_000;
const BULK_PIECE_BYTES: usize = 256 << 10;
const BULK_BYTES: usize = 1 << 30;
const SMALL_BYTES: usize = 64 << 20;

fn main() {
    let nothing = record_pairs(&NoCapture, &mut || {});
    let (archive, _dir) = start();
    let sink = archive.sink();
    let pairs = record_pairs(sink.as_ref(), &mut || flush(&archive));
    println!(
        "record a 2 KiB message and its answer, without an archive  p50 {:7.2} µs",
        nothing.0
    );
    println!(
        "record a 2 KiB message and its answer, with one            p50 {:7.2} µs, p99 {:7.2} µs",
        pairs.0, pairs.1
    );
    archive.stop();
    for (what, protocol, piece, bytes) in [
        (
            "opaque, pieces of 256 KiB",
            Protocol::Tcp,
            vec![b'x'; BULK_PIECE_BYTES],
            BULK_BYTES,
        ),
        (
            "HL7 messages of 2 KiB    ",
            Protocol::Hl7,
            message(),
            SMALL_BYTES,
        ),
    ] {
        let (archive, dir) = start();
        let speed = durable_speed(&archive, protocol, &piece, bytes);
        archive.stop();
        let plain = plain_speed(&dir, bytes);
        println!(
            "{what}  cut, sealed and durable {speed:7.0} MB/s; plain writes and one fdatasync \
             here {plain:7.0} MB/s"
        );
    }
}

/// Median and 99th percentile of recording a message and its answer, in microseconds.
fn record_pairs(sink: &dyn CaptureSink, pause: &mut dyn FnMut()) -> (f64, f64) {
    let (info, mut taps) = open(sink, Protocol::Hl7);
    let (message, answer) = (message(), b"\x0bMSH|^~\\&|EHR\rMSA|AA|1\r\x1c\r");
    let mut times = Vec::with_capacity(PAIRS);
    for number in 0..PAIRS {
        let begun = sys::clock::monotonic();
        taps.to_service.record(&message);
        taps.to_device.record(answer);
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        // The queue must not fill up: what is dropped costs less.
        if number % 1_000 == 999 {
            pause();
        }
    }
    close(sink, &info, taps);
    times.sort_by(f64::total_cmp);
    (times[PAIRS / 2], times[PAIRS * 99 / 100])
}

/// Megabytes a second from the first record to the last commit.
fn durable_speed(archive: &Archive, protocol: Protocol, piece: &[u8], bytes: usize) -> f64 {
    let sink = archive.sink();
    let (info, mut taps) = open(sink.as_ref(), protocol);
    let begun = sys::clock::monotonic();
    let mut recorded = 0;
    let mut flushed = 0;
    while recorded < bytes {
        taps.to_service.record(piece);
        recorded += piece.len();
        if recorded - flushed >= 32 << 20 {
            flush(archive);
            flushed = recorded;
        }
    }
    close(sink.as_ref(), &info, taps);
    flush(archive);
    recorded as f64 / begun.elapsed().as_secs_f64() / 1e6
}

/// Megabytes a second of the disk itself, with as many `fdatasync` as the archive is asked for.
fn plain_speed(dir: &tempfile::TempDir, bytes: usize) -> f64 {
    use std::io::Write as _;
    let mut file = std::fs::File::create(dir.path().join("plain")).unwrap();
    let piece = vec![b'x'; 8 << 20];
    let begun = sys::clock::monotonic();
    for number in 0..bytes / piece.len() {
        file.write_all(&piece).unwrap();
        if number % 4 == 3 {
            file.sync_data().unwrap();
        }
    }
    file.sync_data().unwrap();
    bytes as f64 / begun.elapsed().as_secs_f64() / 1e6
}

fn open(sink: &dyn CaptureSink, protocol: Protocol) -> (FlowInfo, FlowTaps) {
    let info = FlowInfo {
        flow: FlowId::random(),
        device: "mon-1".parse().unwrap(),
        protocol,
        service: "hl7@127.0.0.1:6661".parse().unwrap(),
    };
    let taps = sink.flow_opened(&info);
    (info, taps)
}

fn close(sink: &dyn CaptureSink, info: &FlowInfo, mut taps: FlowTaps) {
    taps.to_service.finished();
    taps.to_device.finished();
    drop(taps);
    sink.flow_closed(info.flow, true);
}

fn flush(archive: &Archive) {
    archive.flush().blocking_recv().unwrap();
}

fn start() -> (Archive, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path().join("archive"));
    settings.stop_patience = Duration::from_secs(1);
    (
        Archive::start(settings, Arc::new(OneKey::new())).unwrap(),
        dir,
    )
}

fn message() -> Vec<u8> {
    let mut message = b"\x0bMSH|^~\\&|MON|ICU\r".to_vec();
    message.resize(2046, b'x');
    message.extend_from_slice(b"\x1c\r");
    message
}

/// One data key for everything.
struct OneKey(Leased);

struct Plain(SecretKey);

impl Lease for Plain {
    fn secret(&self) -> &SecretKey {
        &self.0
    }

    fn give_back(&self, _bytes: u64) {}
}

impl OneKey {
    fn new() -> Self {
        let data_key_id = DataKeyId::random();
        let mut context = EncryptionContext::new();
        for (key, value) in [
            (reserved::DATA_KEY, data_key_id.to_string()),
            (reserved::KIND, "object".to_owned()),
            (reserved::DEVICE, "mon-1".to_owned()),
        ] {
            context.insert_reserved(key, value).unwrap();
        }
        let wrapped = SideCarKey {
            data_key_id,
            wrapped: vec![1; 152],
            context,
        };
        let lease = Arc::new(Plain(SecretKey::generate()));
        Self(Leased {
            lease,
            wrapped: Arc::new(wrapped),
        })
    }
}

impl DataKeys for OneKey {
    fn wanted(&self, _device: &DeviceId) {}

    fn lease(&self, _device: &DeviceId, _bytes_max: u64) -> Option<Leased> {
        Some(self.0.clone())
    }
}
