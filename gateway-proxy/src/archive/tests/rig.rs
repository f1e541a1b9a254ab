//! An archive in a temporary folder, with data keys made here instead of by a KMS.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use envelope::blob::{self, Purpose};
use envelope::context::{EncryptionContext, reserved};
use envelope::id::{DataKeyId, FlowId, KeyId, KeyVersion};
use envelope::secret::SecretKey;
use envelope::segment::SideCarKey;
use kms_client::archive::{self, DataKeySource, Direction, Filter, GapInfo, ObjectInfo};
use kms_client::reason::Reason;

use crate::archive::{Archive, DataKeys, Lease, Leased, Settings};
use crate::capture::{FlowInfo, FlowTaps};
use crate::ids::{DeviceId, Protocol};

/// A folder, an archive that may run in it, and the keys of both sides.
pub(super) struct Rig {
    dir: tempfile::TempDir,
    pub(super) keys: Arc<TestKeys>,
    pub(super) settings: Settings,
    archive: Option<Archive>,
}

/// A flow that is being recorded.
pub(super) struct TestFlow {
    pub(super) info: FlowInfo,
    pub(super) taps: FlowTaps,
}

/// Leases data keys of one key version after the other.
pub(super) struct TestKeys {
    master: SecretKey,
    current: Mutex<Current>,
}

struct Current {
    version: KeyVersion,
    leased: Option<Leased>,
    withheld: bool,
}

struct TestLease(SecretKey);

impl Lease for TestLease {
    fn secret(&self) -> &SecretKey {
        &self.0
    }

    fn give_back(&self, _bytes: u64) {}
}

impl TestKeys {
    fn new() -> Self {
        let current = Current {
            version: KeyVersion(1),
            leased: None,
            withheld: false,
        };
        Self {
            master: SecretKey::generate(),
            current: Mutex::new(current),
        }
    }

    /// What the cache does when the key is rotated.
    pub(super) fn rotate(&self) {
        let mut current = self.current.lock().unwrap();
        current.version.0 += 1;
        current.leased = None;
    }

    /// Whether there is no data key to be had.
    pub(super) fn withhold(&self, withheld: bool) {
        self.current.lock().unwrap().withheld = withheld;
    }

    fn make(&self, device: &DeviceId, version: KeyVersion) -> Leased {
        let secret = SecretKey::generate();
        let data_key_id = DataKeyId::random();
        let mut context = EncryptionContext::new();
        let pairs = [
            (reserved::DATA_KEY, data_key_id.to_string()),
            (reserved::KIND, "object".to_owned()),
            (reserved::DEVICE, device.to_string()),
        ];
        for (key, value) in pairs {
            context.insert_reserved(key, value).unwrap();
        }
        let purpose = Purpose::WrappedDataKey;
        let key_id = KeyId::from_bytes([7; 16]);
        let plaintext = secret.expose();
        let wrapped = blob::seal(&self.master, key_id, version, purpose, &context, plaintext);
        let wrapped = SideCarKey {
            data_key_id,
            wrapped: wrapped.unwrap(),
            context,
        };
        Leased {
            lease: Arc::new(TestLease(secret)),
            wrapped: Arc::new(wrapped),
        }
    }
}

impl DataKeys for TestKeys {
    fn wanted(&self, _device: &DeviceId) {}

    fn lease(&self, device: &DeviceId, _bytes_max: u64) -> Option<Leased> {
        let mut current = self.current.lock().unwrap();
        if current.withheld {
            return None;
        }
        let version = current.version;
        Some(
            current
                .leased
                .get_or_insert_with(|| self.make(device, version))
                .clone(),
        )
    }
}

impl DataKeySource for TestKeys {
    async fn unwrap_data_key(
        &self,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> kms_client::Result<SecretKey> {
        let secret = blob::open(&self.master, Purpose::WrappedDataKey, context, wrapped);
        let secret = secret
            .map_err(|failed| kms_client::Error::new(Reason::OpenFailed, failed.to_string()))?;
        Ok(SecretKey::from_slice(secret.expose()).unwrap())
    }
}

impl Rig {
    /// Starts an archive.
    pub(super) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Starts an archive with other settings.
    pub(super) fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path().join("archive"));
        settings.stop_patience = Duration::from_millis(100);
        change(&mut settings);
        let keys = Arc::new(TestKeys::new());
        let mut rig = Self {
            dir,
            keys,
            settings,
            archive: None,
        };
        rig.restart();
        rig
    }

    pub(super) fn restart(&mut self) {
        self.stop();
        self.archive = Some(Archive::start(self.settings.clone(), self.keys.clone()).unwrap());
    }

    pub(super) fn stop(&mut self) {
        if let Some(archive) = self.archive.take() {
            archive.stop();
        }
    }

    /// A copy of the folder as a power cut would leave it now; what follows works on the copy.
    pub(super) fn cut_power(&mut self) {
        let copy = self.dir.path().join(format!("copy-{}", FlowId::random()));
        copy_dir(&self.path(), &copy);
        self.stop();
        self.settings.dir = copy;
    }

    pub(super) fn path(&self) -> PathBuf {
        self.settings.dir.clone()
    }

    pub(super) fn running(&self) -> &Archive {
        self.archive.as_ref().unwrap()
    }

    pub(super) fn open(&self, protocol: Protocol) -> TestFlow {
        let info = FlowInfo {
            flow: FlowId::random(),
            device: "mon-1".parse().unwrap(),
            protocol,
            service: "hl7@127.0.0.1:6661".parse().unwrap(),
        };
        let taps = self.running().sink().flow_opened(&info);
        TestFlow { info, taps }
    }

    /// Ends both directions with a FIN and closes.
    pub(super) fn close(&self, mut flow: TestFlow) {
        flow.taps.to_service.finished();
        flow.taps.to_device.finished();
        drop(flow.taps);
        self.running().sink().flow_closed(flow.info.flow, true);
    }

    pub(super) fn flush(&self) {
        self.running().flush().blocking_recv().unwrap();
    }

    pub(super) fn reader(&self) -> archive::Archive {
        archive::Archive::open(self.path()).unwrap()
    }

    pub(super) fn objects(&self) -> Vec<ObjectInfo> {
        self.reader()
            .list(Filter::default())
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    pub(super) fn gaps(&self) -> Vec<GapInfo> {
        self.reader().gaps().unwrap().map(Result::unwrap).collect()
    }

    /// The gaps of flows that are known.
    pub(super) fn flow_gaps(&self) -> Vec<GapInfo> {
        let known = |gap: &GapInfo| gap.flow != FlowId::from_bytes([0; 16]);
        self.gaps().into_iter().filter(known).collect()
    }

    pub(super) fn get(&self, object: &ObjectInfo) -> kms_client::Result<Vec<u8>> {
        let mut out = Vec::new();
        block_on(self.reader().get(object.object_id, &*self.keys, &mut out)).map(|_| out)
    }

    /// The objects of one direction, joined in the order of the list.
    pub(super) fn joined(&self, objects: &[ObjectInfo], direction: Direction) -> Vec<u8> {
        let of_direction = objects
            .iter()
            .filter(|object| object.direction == direction);
        of_direction
            .flat_map(|object| self.get(object).unwrap())
            .collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Waits until `found` finds something.
pub(super) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline: Instant = sys::clock::monotonic() + Duration::from_secs(10);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(
            sys::clock::monotonic() < deadline,
            "waited in vain for {what}"
        );
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

pub(super) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// An HL7 message in its frame.
pub(super) fn message(number: usize) -> Vec<u8> {
    let text = format!("MSH|^~\\&|MON|ICU|EHR|H|20260101||ORU^R01|{number}|P|2.5\rPID|1||4711\r");
    [b"\x0b", text.as_bytes(), b"\x1c\r"].concat()
}
