//! DICOM peers that nobody here wrote: DCMTK's tools, pydicom's files, and a relay that records
//! what a connection said.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::{peer, wait};

/// What has to be installed.
pub const TOOLS: &str = "DCMTK and pydicom (install dcmtk, and pip's pydicom)";

/// One of pydicom's test files.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its transfer syntax, or nothing.
    syntax: String,
    /// Its study, or nothing.
    pub study: String,
}

/// The files, when the tools are there.
pub fn test_files() -> Option<Vec<TestFile>> {
    for tool in ["storescu", "storescp", "movescu", "dcmqrscp"] {
        let mut version = Command::new(tool);
        version.arg("--version").stdout(Stdio::null());
        version.status().ok().filter(|status| status.success())?;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/dicom_files.py");
    let mut list = Command::new(peer::python_with("pydicom")?);
    // From here on everything is installed, and what goes wrong is wrong.
    let output = list.arg(&script).stderr(Stdio::inherit()).output();
    let output = output.expect("python can be started");
    assert!(output.status.success(), "pydicom lists its files");
    let list = String::from_utf8(output.stdout).expect("text");
    let file = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [path, syntax, study] => TestFile {
            path: path.into(),
            syntax: syntax.to_owned(),
            study: study.to_owned(),
        },
        _ => panic!("no file with its syntax and study: {line:?}"),
    };
    Some(list.lines().map(file).collect())
}

impl TestFile {
    /// How DCMTK's tools call its transfer syntax, after `-x` or `+x`; little endian when unknown.
    fn syntax(&self) -> &'static str {
        match self.syntax.as_str() {
            "1.2.840.10008.1.2" => "i",
            "1.2.840.10008.1.2.2" => "b",
            "1.2.840.10008.1.2.1.99" => "d",
            "1.2.840.10008.1.2.4.50" => "y",
            "1.2.840.10008.1.2.4.51" => "x",
            "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => "s",
            "1.2.840.10008.1.2.4.80" => "t",
            "1.2.840.10008.1.2.4.81" => "u",
            "1.2.840.10008.1.2.4.90" => "v",
            "1.2.840.10008.1.2.4.91" => "w",
            "1.2.840.10008.1.2.5" => "r",
            _ => "e",
        }
    }

    /// Sends it to a server; whether that was accepted.
    pub fn store(&self, to: SocketAddr) -> bool {
        let mut store = Command::new("storescu");
        store.args(LIMITS);
        store.args(["-aet", "CT-1", "-aec", "PACS", "-R"]);
        store.arg(format!("-x{}", self.syntax()));
        store.args([to.ip().to_string(), to.port().to_string()]);
        let status = quiet(store.arg(&self.path)).status();
        status.expect("the tool can be started").success()
    }

    /// Has a server send its study to `DEVICE`, and receives it on `port`; whether all of it came.
    pub fn retrieve(&self, from: SocketAddr, port: u16, into: &Path) -> bool {
        let mut fetch = Command::new("movescu");
        fetch.args(LIMITS);
        fetch.args([
            "-S", "-aet", "CT-1", "-aec", "PACS", "-aem", "DEVICE", "+xa", "+B",
        ]);
        // With +B, -od is not looked at.
        fetch.args(["+P", &port.to_string()]).current_dir(into);
        fetch.args([
            "-k",
            "0008,0052=STUDY",
            "-k",
            &format!("0020,000d={}", self.study),
        ]);
        fetch.args([from.ip().to_string(), from.port().to_string()]);
        let status = quiet(&mut fetch).status();
        status.expect("the tool can be started").success()
    }
}

/// Seconds that DCMTK's tools wait for a connection, for an association, for an answer; without
/// them, for ever.
const LIMITS: [&str; 6] = ["-to", "10", "-ta", "30", "-td", "30"];

/// A DCMTK server that runs. Dropping it ends it.
pub struct Server(Child);

impl Server {
    /// `storescp`, which keeps what it gets, bit by bit, under `dir`.
    pub fn storescp(address: SocketAddr, dir: &Path) -> Self {
        fs::create_dir_all(dir).expect("a writable folder");
        let mut server = Command::new("storescp");
        server.args(["+xa", "+B", "-aet", "PACS", "-od"]).arg(dir);
        Self::start(server.arg(address.port().to_string()), address)
    }

    /// `dcmqrscp`, which knows the way to `DEVICE` and speaks the file's transfer syntax.
    pub fn dcmqrscp(address: SocketAddr, dir: &Path, device: SocketAddr, file: &TestFile) -> Self {
        let store = dir.join("store");
        fs::create_dir_all(&store).expect("a writable folder");
        let config = dir.join("dcmqrscp.cfg");
        let text = format!(
            "NetworkTCPPort = {}\nMaxPDUSize = 16384\nMaxAssociations = 16\n\
             HostTable BEGIN\ndevice = (DEVICE, {}, {})\nHostTable END\n\
             VendorTable BEGIN\nVendorTable END\n\
             AETable BEGIN\nPACS {} RW (200, 1024mb) ANY\nAETable END\n",
            address.port(),
            device.ip(),
            device.port(),
            store.display()
        );
        fs::write(&config, text).expect("a writable folder");
        let mut server = Command::new("dcmqrscp");
        server.args(["+B", "-c"]).arg(config);
        let syntax = file.syntax();
        server.args([format!("+x{syntax}"), format!("-x{syntax}")]);
        Self::start(&mut server, address)
    }

    fn start(server: &mut Command, address: SocketAddr) -> Self {
        let child = quiet(server).spawn().expect("the tool can be started");
        let server = Self(child);
        wait::until("a DICOM server listens", || {
            TcpStream::connect(address).ok()
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            self.0.wait().expect("our own child");
        }
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// An association that is asked for, and a data set under a presentation context that it did not
/// get: nobody answers, so that it is what the device sends on its own.
pub fn unanswered(patient: &str) -> Vec<u8> {
    let titles = format!("\0\x01\0\0{:<16}{:<16}{}", "STORE", "CT1", "\0".repeat(32));
    let application = b"1.2.840.10008.3.1.1.1";
    let mut items = vec![0x10, 0, 0, application.len() as u8];
    items.extend_from_slice(application);
    let ask = pdu(1, &[titles.as_bytes(), &items].concat());
    let mut element = vec![0x10, 0, 0x10, 0];
    element.extend(length(patient.as_bytes()).to_le_bytes());
    element.extend_from_slice(patient.as_bytes());
    let value = [&[1, 2], &element[..]].concat();
    let value = [&length(&value).to_be_bytes()[..], &value].concat();
    [ask, pdu(4, &value)].concat()
}

/// A protocol data unit of DICOM's upper layer (PS3.8).
pub fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0], &length(body).to_be_bytes()[..], body].concat()
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("short enough")
}

/// What one connection said: from who connected, and back.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// From who connected.
    pub there: Vec<u8>,
    /// To who connected.
    pub back: Vec<u8>,
}

/// Passes connections on and records them.
pub struct Recorder {
    /// Where to connect.
    pub address: SocketAddr,
    said: Arc<Mutex<Vec<Said>>>,
}

impl Recorder {
    /// Passes on to `target`; its threads end with the process.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let said = Arc::<Mutex<Vec<Said>>>::default();
        let record = Arc::clone(&said);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(target) else {
                    continue;
                };
                let number = {
                    let mut all = record.lock().expect("no thread panicked");
                    all.push(Said::default());
                    all.len() - 1
                };
                let ends = [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))];
                for (there, (from, to)) in [true, false].into_iter().zip(ends) {
                    let (Ok(from), Ok(to)) = (from, to) else {
                        continue;
                    };
                    let record = Arc::clone(&record);
                    thread::spawn(move || pass(from, to, &record, number, there));
                }
            }
        });
        Self { address, said }
    }

    /// Everything recorded so far.
    ///
    /// # Panics
    /// When a connection's thread panicked.
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().expect("no thread panicked").clone()
    }
}

fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    all: &Mutex<Vec<Said>>,
    number: usize,
    there: bool,
) {
    let mut place = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut place) {
        let bytes = &place[..count];
        let mut said = all.lock().expect("no thread panicked");
        match there {
            true => said[number].there.extend_from_slice(bytes),
            false => said[number].back.extend_from_slice(bytes),
        }
        drop(said);
        if to.write_all(bytes).is_err() {
            return;
        }
    }
    // The other direction may have ended the connection already.
    to.shutdown(Shutdown::Write).unwrap_or_default();
}
