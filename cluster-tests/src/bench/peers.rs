//! The pairs under load: no encryption, stunnel, haproxy, nginx stream, and Ward.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::Pid;

use crate::stack::{Plan, Stack, free_addresses};
use crate::wait;

/// Who can be put under load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Peer {
    /// haproxy as a plain TCP relay, splicing.
    Splice,
    /// stunnel.
    Stunnel,
    /// haproxy with TLS.
    Haproxy,
    /// nginx's stream module.
    Nginx,
    /// Ward without an archive.
    Ward,
    /// Ward with its archive in `observe` mode.
    WardArchive,
}

impl Peer {
    /// All of them, the floor first.
    pub const ALL: [Self; 6] = [
        Self::Splice,
        Self::Stunnel,
        Self::Haproxy,
        Self::Nginx,
        Self::Ward,
        Self::WardArchive,
    ];

    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Splice => "splice",
            Self::Stunnel => "stunnel",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Ward => "Ward",
            Self::WardArchive => "Ward+archive",
        }
    }

    /// Whether what it needs is installed.
    pub fn installed(self) -> bool {
        let program = match self {
            Self::Splice | Self::Haproxy => "haproxy",
            Self::Stunnel => "stunnel",
            // A package of its own in Debian: libnginx-mod-stream.
            Self::Nginx if !Path::new(NGINX_STREAM).exists() => return false,
            Self::Nginx => "nginx",
            Self::Ward | Self::WardArchive => return true,
        };
        ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
    }
}

const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A running pair: plaintext in at `address`, mutual TLS 1.3 in between, plaintext out.
pub struct Pair {
    /// Where the load connects.
    pub address: SocketAddr,
    running: Running,
}

enum Running {
    Processes(Vec<Child>),
    Ward(Box<Stack>),
}

impl Pair {
    /// Starts a pair in front of `upstream`, with its files under `dir`.
    ///
    /// # Errors
    /// When a program cannot be started or a file not written.
    pub fn start(peer: Peer, ward: &Path, dir: &Path, upstream: SocketAddr) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let [edge, core] = free_addresses();
        let pki = Pki::create(dir)?;
        let children = match peer {
            Peer::Splice => vec![
                haproxy(dir, "edge", &plain(edge, core))?,
                haproxy(dir, "core", &plain(core, upstream))?,
            ],
            Peer::Haproxy => vec![
                haproxy(dir, "edge", &pki.haproxy_edge(edge, core))?,
                haproxy(dir, "core", &pki.haproxy_core(core, upstream))?,
            ],
            Peer::Stunnel => vec![
                stunnel(dir, "edge", &pki.stunnel(true, edge, core))?,
                stunnel(dir, "core", &pki.stunnel(false, core, upstream))?,
            ],
            Peer::Nginx => vec![
                nginx(dir, "edge", &pki.nginx_edge(edge, core))?,
                nginx(dir, "core", &pki.nginx_core(core, upstream))?,
            ],
            Peer::Ward | Peer::WardArchive => {
                let mut plan = Plan::new(ward, dir.join("data")).nodes(1);
                plan.archive = peer == Peer::WardArchive;
                let address = plan.route("mon-1", "tcp", upstream);
                let running = Running::Ward(Box::new(plan.start()));
                return Ok(Self { address, running });
            }
        };
        let mut pair = Self {
            address: edge,
            running: Running::Processes(children),
        };
        for listener in [edge, core] {
            wait::until("a peer listens", || {
                pair.expect_alive(dir);
                TcpStream::connect(listener).ok()
            });
        }
        Ok(pair)
    }

    fn expect_alive(&mut self, dir: &Path) {
        let Running::Processes(children) = &mut self.running else {
            return;
        };
        for child in children {
            if let Some(status) = child.try_wait().expect("our own child") {
                let said = fs::read_to_string(dir.join("peers.log")).unwrap_or_default();
                panic!("a peer ended with {status}: {said}");
            }
        }
    }

    /// The processes of both halves; of Ward the two gateways.
    pub fn pids(&self) -> Vec<Pid> {
        match &self.running {
            Running::Processes(children) => children
                .iter()
                .flat_map(|child| super::usage::family(Pid::from_child(child)))
                .collect(),
            Running::Ward(stack) => vec![stack.pid("edge"), stack.pid("core")],
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Running::Processes(children) = &mut self.running {
            for child in children {
                for pid in super::usage::family(Pid::from_child(child)) {
                    crate::stack::signal(pid, rustix::process::Signal::KILL);
                }
                child.wait().expect("our own child");
            }
        }
    }
}

/// A CA, and one certificate for each half.
struct Pki {
    dir: PathBuf,
}

impl Pki {
    fn create(dir: &Path) -> io::Result<Self> {
        let key = || KeyPair::generate().map_err(io::Error::other);
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "bench CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = key()?;
        let ca = params.self_signed(&ca_key).map_err(io::Error::other)?;
        fs::write(dir.join("ca.pem"), ca.pem())?;
        let issuer = Issuer::new(params, ca_key);
        for half in ["edge", "core"] {
            let key = key()?;
            let mut params =
                CertificateParams::new(vec![half.to_owned()]).map_err(io::Error::other)?;
            params.distinguished_name.push(DnType::CommonName, half);
            let leaf = params.signed_by(&key, &issuer).map_err(io::Error::other)?;
            fs::write(
                dir.join(format!("{half}.pem")),
                leaf.pem() + &key.serialize_pem(),
            )?;
        }
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    fn haproxy_edge(&self, listen: SocketAddr, core: SocketAddr) -> String {
        let dir = self.dir.display();
        haproxy_config(
            &format!("bind {listen}"),
            &format!(
                "server core {core} ssl verify required ca-file {dir}/ca.pem crt {dir}/edge.pem \
                 ssl-min-ver TLSv1.3 verifyhost core"
            ),
            "",
        )
    }

    fn haproxy_core(&self, listen: SocketAddr, upstream: SocketAddr) -> String {
        let dir = self.dir.display();
        haproxy_config(
            &format!(
                "bind {listen} ssl crt {dir}/core.pem ca-file {dir}/ca.pem verify required \
                 ssl-min-ver TLSv1.3"
            ),
            &format!("server upstream {upstream}"),
            "",
        )
    }

    fn stunnel(&self, client: bool, accept: SocketAddr, connect: SocketAddr) -> String {
        let dir = self.dir.display();
        let (client, half) = if client {
            ("yes", "edge")
        } else {
            ("no", "core")
        };
        format!(
            "foreground = yes\npid =\ndebug = err\nsocket = l:TCP_NODELAY=1\n\
             socket = r:TCP_NODELAY=1\n[pair]\nclient = {client}\naccept = {accept}\n\
             connect = {connect}\ncert = {dir}/{half}.pem\nCAfile = {dir}/ca.pem\n\
             verifyChain = yes\nsslVersionMin = TLSv1.3\n"
        )
    }

    fn nginx_edge(&self, listen: SocketAddr, core: SocketAddr) -> String {
        let dir = self.dir.display();
        format!(
            "listen {listen}; proxy_pass {core}; proxy_ssl on; proxy_ssl_protocols TLSv1.3; \
             proxy_ssl_certificate {dir}/edge.pem; proxy_ssl_certificate_key {dir}/edge.pem; \
             proxy_ssl_trusted_certificate {dir}/ca.pem; proxy_ssl_verify on; proxy_ssl_name core;"
        )
    }

    fn nginx_core(&self, listen: SocketAddr, upstream: SocketAddr) -> String {
        let dir = self.dir.display();
        format!(
            "listen {listen} ssl; ssl_protocols TLSv1.3; ssl_certificate {dir}/core.pem; \
             ssl_certificate_key {dir}/core.pem; ssl_client_certificate {dir}/ca.pem; \
             ssl_verify_client on; proxy_pass {upstream};"
        )
    }
}

fn plain(listen: SocketAddr, target: SocketAddr) -> String {
    haproxy_config(
        &format!("bind {listen}"),
        &format!("server target {target}"),
        "  option splice-auto\n",
    )
}

fn haproxy_config(bind: &str, server: &str, options: &str) -> String {
    format!(
        "global\n  nbthread 2\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
         timeout client 1h\n  timeout server 1h\n{options}frontend pair\n  {bind}\n  \
         default_backend next\nbackend next\n  {server}\n"
    )
}

fn haproxy(dir: &Path, half: &str, config: &str) -> io::Result<Child> {
    let path = dir.join(format!("haproxy-{half}.cfg"));
    fs::write(&path, config)?;
    spawn(
        dir,
        Command::new("/usr/sbin/haproxy")
            .arg("-db")
            .arg("-f")
            .arg(path),
    )
}

fn stunnel(dir: &Path, half: &str, config: &str) -> io::Result<Child> {
    let path = dir.join(format!("stunnel-{half}.conf"));
    fs::write(&path, config)?;
    spawn(dir, Command::new("/usr/bin/stunnel").arg(path))
}

fn nginx(dir: &Path, half: &str, server: &str) -> io::Result<Child> {
    let path = dir.join(format!("nginx-{half}.conf"));
    let here = dir.display();
    let config = format!(
        "load_module {NGINX_STREAM};\ndaemon off;\nuser root;\n\
         worker_processes 2;\nworker_rlimit_nofile 20000;\npid {here}/nginx-{half}.pid;\n\
         error_log {here}/nginx-{half}.log;\nevents {{ worker_connections 8000; }}\n\
         stream {{ tcp_nodelay on; server {{ {server} }} }}\n"
    );
    fs::write(&path, config)?;
    spawn(dir, Command::new("/usr/sbin/nginx").arg("-c").arg(path))
}

fn spawn(dir: &Path, command: &mut Command) -> io::Result<Child> {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("peers.log"))?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}
