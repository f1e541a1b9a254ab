//! An archive in a temporary folder, with data keys made here instead of by a KMS.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use envelope::blob::{self, BlobHeader, Purpose};
use envelope::context::{EncryptionContext, reserved};
use envelope::id::{DataKeyId, FlowId, KeyId, KeyVersion};
use envelope::secret::{SecretBytes, SecretKey};
use envelope::segment::SideCarKey;
use kms_client::archive::{self, DataKeySource, Direction, Filter, GapInfo, ObjectInfo};
use kms_client::reason::Reason;

use crate::archive::{Archive, DataKeys, Lease, Leased, Settings};
use crate::capture::{FlowInfo, FlowTaps};
use crate::ids::{DeviceId, Protocol};

/// A folder, an archive that may run in it, and the keys of both sides.
pub(crate) struct Rig {
    dir: tempfile::TempDir,
    pub(crate) keys: Arc<TestKeys>,
    pub(crate) settings: Settings,
    archive: Option<Archive>,
}

/// A flow that is being recorded.
pub(crate) struct TestFlow {
    pub(crate) info: FlowInfo,
    pub(crate) taps: FlowTaps,
}

/// Leases data keys of one key version after the other.
pub(crate) struct TestKeys {
    master: SecretKey,
    /// Versions below this one are disabled.
    minimum: AtomicU32,
    current: Mutex<Current>,
}

/// The key that wraps all data keys.
pub(crate) const KEY: KeyId = KeyId::from_bytes([7; 16]);

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
            minimum: AtomicU32::new(1),
            current: Mutex::new(current),
        }
    }

    /// What the cache does when the key is rotated.
    pub(crate) fn rotate(&self) {
        let mut current = self.current.lock().unwrap();
        current.version.0 += 1;
        current.leased = None;
    }

    /// What the cache does when a lease is used up.
    pub(crate) fn renew(&self) {
        self.current.lock().unwrap().leased = None;
    }

    /// What an operator does with the versions below this one.
    pub(crate) fn disable_below(&self, version: u32) {
        self.minimum.store(version, Ordering::SeqCst);
    }

    /// Opens a wrapped data key, as the KMS would for itself.
    pub(crate) fn opened(
        &self,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> kms_client::Result<SecretBytes> {
        let failed = |reason: Reason| kms_client::Error::new(reason, "as the test has it");
        let header = BlobHeader::parse(wrapped).map_err(|_| failed(Reason::OpenFailed))?;
        if header.key_version.0 < self.minimum.load(Ordering::SeqCst) {
            return Err(failed(Reason::VersionDisabled));
        }
        let secret = blob::open(&self.master, Purpose::WrappedDataKey, context, wrapped);
        secret.map_err(|_| failed(Reason::OpenFailed))
    }

    /// Wraps a data key under a version of the one key there is.
    pub(crate) fn wrapped(
        &self,
        secret: &[u8],
        context: &EncryptionContext,
        version: KeyVersion,
    ) -> Vec<u8> {
        let purpose = Purpose::WrappedDataKey;
        let wrapped = blob::seal(&self.master, KEY, version, purpose, context, secret);
        wrapped.unwrap()
    }

    /// Whether there is no data key to be had.
    pub(crate) fn withhold(&self, withheld: bool) {
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
        let wrapped = SideCarKey {
            data_key_id,
            wrapped: self.wrapped(secret.expose(), &context, version),
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
        let secret = self.opened(wrapped, context)?;
        Ok(SecretKey::from_slice(secret.expose()).unwrap())
    }
}

impl Rig {
    /// Starts an archive.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Starts an archive with other settings.
    pub(crate) fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
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

    pub(crate) fn restart(&mut self) {
        self.stop();
        self.archive = Some(Archive::start(self.settings.clone(), self.keys.clone()).unwrap());
    }

    pub(crate) fn stop(&mut self) {
        if let Some(archive) = self.archive.take() {
            archive.stop();
        }
    }

    /// A copy of the folder as a power cut would leave it now; what follows works on the copy.
    pub(crate) fn cut_power(&mut self) {
        let copy = self.dir.path().join(format!("copy-{}", FlowId::random()));
        copy_dir(&self.path(), &copy);
        self.stop();
        self.settings.dir = copy;
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.settings.dir.clone()
    }

    pub(crate) fn running(&self) -> &Archive {
        self.archive.as_ref().unwrap()
    }

    pub(crate) fn open(&self, protocol: Protocol) -> TestFlow {
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
    pub(crate) fn close(&self, mut flow: TestFlow) {
        flow.taps.to_service.finished();
        flow.taps.to_device.finished();
        drop(flow.taps);
        self.running().sink().flow_closed(flow.info.flow, true);
    }

    pub(crate) fn flush(&self) {
        self.running().flush().blocking_recv().unwrap();
    }

    pub(crate) fn reader(&self) -> archive::Archive {
        archive::Archive::open(self.path()).unwrap()
    }

    pub(crate) fn objects(&self) -> Vec<ObjectInfo> {
        self.reader()
            .list(Filter::default())
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    pub(crate) fn gaps(&self) -> Vec<GapInfo> {
        self.reader().gaps().unwrap().map(Result::unwrap).collect()
    }

    /// The gaps of flows that are known.
    pub(crate) fn flow_gaps(&self) -> Vec<GapInfo> {
        let known = |gap: &GapInfo| gap.flow != FlowId::from_bytes([0; 16]);
        self.gaps().into_iter().filter(known).collect()
    }

    pub(crate) fn get(&self, object: &ObjectInfo) -> kms_client::Result<Vec<u8>> {
        let mut out = Vec::new();
        block_on(self.reader().get(object.object_id, &*self.keys, &mut out)).map(|_| out)
    }

    /// The objects of one direction, joined in the order of the list.
    pub(crate) fn joined(&self, objects: &[ObjectInfo], direction: Direction) -> Vec<u8> {
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

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Waits until `found` finds something.
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
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

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// An HL7 message in its frame.
pub(crate) fn message(number: usize) -> Vec<u8> {
    let text = format!("MSH|^~\\&|MON|ICU|EHR|H|20260101||ORU^R01|{number}|P|2.5\rPID|1||4711\r");
    [b"\x0b", text.as_bytes(), b"\x1c\r"].concat()
}
