//! The devices and servers around the stack: MLLP in Rust, and python-hl7 where it is installed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const START: u8 = 0x0b;
/// What ends a frame of MLLP.
pub const END: [u8; 2] = [0x1c, 0x0d];
const PATIENCE: Duration = Duration::from_secs(5);

/// An HL7 server that answers each message with an AA and remembers its bytes.
pub struct AckServer {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl AckServer {
    /// Starts one on a free port; its threads end with the process.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let server = Self {
            address,
            received: received.clone(),
            connections: connections.clone(),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                let received = received.clone();
                // A flow that is cut ends its thread; the client notices, not the server.
                thread::spawn(move || drop(answer(stream, &received)));
            }
        });
        server
    }

    /// All bytes received so far.
    ///
    /// # Panics
    /// When a connection's thread panicked.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().expect("no thread panicked").clone()
    }

    /// How many connections it accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn answer(mut stream: TcpStream, received: &Mutex<Vec<u8>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(message) = read_frame(&mut stream)? {
        received
            .lock()
            .expect("no thread panicked")
            .extend_from_slice(&message);
        let ack = ack_for(&control_id(&message));
        stream.write_all(&ack)?;
    }
    Ok(())
}

/// Reads one frame from SB to EB CR; `None` at a clean end between frames.
///
/// # Errors
/// When the connection fails or ends inside a frame.
pub fn read_frame(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut frame = Vec::new();
    let mut byte = [0];
    while !frame.ends_with(&END) {
        match stream.read(&mut byte)? {
            0 if frame.is_empty() => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => frame.push(byte[0]),
        }
    }
    Ok(Some(frame))
}

/// A result message with a control id and a patient's name, framed.
pub fn message(control_id: &str, patient: &str) -> Vec<u8> {
    let text = format!(
        "MSH|^~\\&|MON|ICU|EHR|HOSP|20261124120000||ORU^R01|{control_id}|P|2.5\r\
         PID|1||4711||{patient}\r\
         OBX|1|NM|8867-4^HR||72|/min\r"
    );
    framed(text.as_bytes())
}

fn ack_for(control_id: &str) -> Vec<u8> {
    let text = format!(
        "MSH|^~\\&|EHR|HOSP|MON|ICU|20261124120001||ACK|A{control_id}|P|2.5\r\
         MSA|AA|{control_id}\r"
    );
    framed(text.as_bytes())
}

fn framed(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![START];
    frame.extend_from_slice(text);
    frame.extend_from_slice(&END);
    frame
}

fn control_id(frame: &[u8]) -> String {
    let text = String::from_utf8_lossy(frame);
    text.split('|').nth(9).unwrap_or_default().to_owned()
}

/// Sends one message over a connection of its own and returns the answer.
///
/// # Errors
/// When the flow is refused, cut, or silent for five seconds.
pub fn exchange(address: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(message)?;
    read_frame(&mut stream)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A Python that has these modules, if there is one.
pub fn python_with(modules: &str) -> Option<PathBuf> {
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .map(PathBuf::from)
        .find(|python| {
            Command::new(python)
                .args(["-c", &format!("import {modules}")])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
}

/// python-hl7's server, which answers each message with its own ACK.
pub struct PythonServer {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl PythonServer {
    /// Starts it; it writes what it read and wrote under `dir`.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(python: &Path, dir: &Path) -> Self {
        let address = crate::stack::free_address();
        let child = Command::new(python)
            .arg(script("hl7_server.py"))
            .args([&address.port().to_string(), &dir.display().to_string()])
            .spawn()
            .expect("python can be started");
        crate::wait::until("the python-hl7 server listens", || {
            dir.join("listening").exists().then_some(())
        });
        Self { address, child }
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().expect("our own child");
        }
    }
}

/// Runs python-hl7's client: `count` messages over one connection; its record goes under `dir`.
///
/// # Panics
/// When it fails; it checks each answer's control id itself.
pub fn python_client(python: &Path, address: SocketAddr, count: usize, dir: &Path) {
    let status = Command::new(python)
        .arg(script("hl7_client.py"))
        .args([
            &address.port().to_string(),
            &count.to_string(),
            &dir.display().to_string(),
        ])
        .status()
        .expect("python can be started");
    assert!(
        status.success(),
        "the python-hl7 client ended with {status}"
    );
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(name)
}
