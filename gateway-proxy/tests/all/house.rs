//! Two gateways as real processes, with what they find on disk: for tests without a KMS.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gateway_proxy::contain::{Kept, Standing, Store};
use kms_client::model::ContainLevel;
use rustix::process::{Pid, Signal, kill_process};

use crate::authority::Authority;
use crate::pair::{PATIENCE, accept, until};

/// A folder with the identities of an edge, a core and a device.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) server: TcpListener,
    pub(crate) route: SocketAddr,
    pub(crate) edge_ops: SocketAddr,
    pub(crate) core_ops: SocketAddr,
}

/// A gateway's process, killed when dropped.
pub(crate) struct Gateway(pub(crate) Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

impl Gateway {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        until("the gateway ends", || self.0.try_wait().unwrap()).code()
    }
}

impl House {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.write_identity(&dir.path().join("core/identity"), "gateway", "core");
        authority.write_identity(&dir.path().join("edge/identity"), "gateway", "edge");
        authority.write_identity(&dir.path().join("edge/devices/mon-1"), "device", "mon-1");
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let [route, edge_ops, core_ops, tunnel] = free_ports();
        let house = Self {
            dir,
            server,
            route,
            edge_ops,
            core_ops,
        };
        for gateway in ["edge", "core"] {
            house.keep(
                gateway,
                Some(sys::clock::boottime()),
                ContainLevel::None,
                HOUR,
            );
        }
        house.write(
            "edge",
            "edge",
            edge_ops,
            &format!(
                "[[route]]\ndevice = \"mon-1\"\nprotocol = \"tcp\"\nlisten = \"{route}\"\n\
             core = \"{tunnel}\"\ncore_id = \"core\"\nservice = \"lab\"\n"
            ),
        );
        house.write(
            "core",
            "core",
            core_ops,
            &format!(
                "[tunnel]\nlisten = \"{tunnel}\"\n[[service]]\nname = \"lab\"\nprotocol = \"tcp\"\n\
             upstream = \"{}\"\ndevices = [\"mon-1\"]\n",
                house.server.local_addr().unwrap()
            ),
        );
        house
    }

    fn write(&self, id: &str, role: &str, ops: SocketAddr, rest: &str) {
        let dir = self.dir.path().join(id);
        let text = format!(
            "id = \"{id}\"\nrole = \"{role}\"\nidentity_dir = \"{}\"\nstate_dir = \"{}\"\n\
             threads = 2\n[ops]\nlisten = \"{ops}\"\n{rest}",
            dir.join("identity").display(),
            dir.display(),
        );
        std::fs::write(dir.join("gateway.toml"), text).unwrap();
    }

    /// What a gateway has kept of a time when the KMS was there.
    pub(crate) fn keep(
        &self,
        id: &str,
        until: Option<Duration>,
        level: ContainLevel,
        allowance: Duration,
    ) {
        let device = "mon-1".parse().unwrap();
        let standing = Standing {
            level,
            allowance,
            ..Standing::default()
        };
        let kept = Kept {
            until,
            standings: vec![(device, standing)],
        };
        let store = Store::new(&self.dir.path().join(id));
        store.keep(&kept).unwrap();
    }

    pub(crate) fn refused(&self) {
        let mut device = TcpStream::connect(self.route).unwrap();
        device.set_read_timeout(Some(PATIENCE)).unwrap();
        let error = device.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        self.server.set_nonblocking(true).unwrap();
        assert_eq!(
            self.server.accept().unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    }

    pub(crate) fn config(&self, id: &str) -> PathBuf {
        self.dir.path().join(id).join("gateway.toml")
    }

    pub(crate) fn start_both(&self) -> (Gateway, Gateway) {
        let (core, edge) = (
            start(&self.config("core"), &[]),
            start(&self.config("edge"), &[]),
        );
        for ops in [self.core_ops, self.edge_ops] {
            until("the gateway is ready", || {
                get(ops, "/ready").filter(|page| page.contains("200"))
            });
        }
        (edge, core)
    }

    pub(crate) fn connect(&self) -> (TcpStream, TcpStream) {
        let device = TcpStream::connect(self.route).unwrap();
        device.set_read_timeout(Some(PATIENCE)).unwrap();
        (device, accept(&self.server))
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Ports that were free a moment ago: a process cannot tell which one it was given.
fn free_ports() -> [SocketAddr; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

pub(crate) fn start(config: &Path, arguments: &[&str]) -> Gateway {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-proxy"));
    command.arg("--config").arg(config).args(arguments);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    Gateway(command.spawn().unwrap())
}

/// Runs a gateway that cannot start, and answers the last line it says.
pub(crate) fn complaint(config: &Path) -> String {
    let mut gateway = start(config, &[]);
    assert_eq!(gateway.exit_code(), Some(1));
    let mut text = String::new();
    gateway
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text.lines().last().unwrap().to_owned()
}

pub(crate) fn get(ops: SocketAddr, path: &str) -> Option<String> {
    let mut tcp = TcpStream::connect(ops).ok()?;
    std::io::Write::write_all(
        &mut tcp,
        format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .ok()?;
    let mut page = String::new();
    tcp.read_to_string(&mut page).ok()?;
    Some(page)
}
