//! The hosts of a document with their folders and services: runs its blocks as they stand.
//!
//! Each block and service runs as the user whom the document names, who is a bare number here.
//! Only these are not what they are on real hosts: the folders `/var/lib/ward`, `/etc/ward` and
//! `/home/alice` are below a temporary one, `scp` is a copy, `nc` a script, and `systemctl` starts
//! the unit's ExecStart and waits for its READY=1, as systemd does.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use rustix::process::{Pid, Signal};

use super::document::Block;
use super::network::Network;
use crate::ready::Ready;
use crate::stack::signal;
use crate::wait;

/// The hosts while they run. Dropping it kills every service, then the network goes.
pub struct Hosts {
    services: HashMap<(String, String), Child>,
    /// What TOKEN and CA_SHA256 in the document stand for: as printed last.
    printed: HashMap<&'static str, String>,
    root: PathBuf,
    units: PathBuf,
    ward: PathBuf,
    network: Network,
}

impl Hosts {
    /// Makes hosts below `root`, with the tool `ward` and the units of folder `units`.
    ///
    /// # Panics
    /// When a folder or namespace cannot be made.
    pub fn new(hosts: &[(&str, &str)], ward: &Path, units: &Path, root: &Path) -> Self {
        for (host, _) in hosts {
            for folder in FOLDERS {
                make(root, host, folder);
            }
            make(root, host, "/etc/ward/seal");
        }
        // Others than root work in folders of their own below it.
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("its mode");
        let hosts_made = Self {
            services: HashMap::new(),
            printed: HashMap::new(),
            root: root.to_owned(),
            units: units.to_owned(),
            ward: ward.to_owned(),
            network: Network::new(hosts),
        };
        hosts_made.write_stand_ins();
        hosts_made
    }

    /// Runs a block; its standard output.
    ///
    /// # Panics
    /// When a command of it fails, or a service does not start.
    pub fn run(&mut self, block: &Block) -> String {
        let is_typed = |line: &&str| !line.starts_with('#') && !line.trim().is_empty();
        let typed: Vec<&str> = block.script.lines().filter(is_typed).collect();
        let order = |line: &str| line.strip_prefix("systemctl ").map(str::to_owned);
        if let Some(order) = typed.iter().find_map(|line| order(line)) {
            let alone = typed.len() == 1;
            assert!(alone, "line {}: systemctl stands alone", block.line);
            self.systemctl(&block.host, &order);
            return String::new();
        }
        let said = self.sh(block);
        for (word, label) in [("TOKEN", "token "), ("CA_SHA256", "ca sha256 ")] {
            let line = said.lines().find_map(|line| line.strip_prefix(label));
            if let Some(value) = line {
                self.printed.insert(word, value.trim().to_owned());
            }
        }
        said
    }

    /// Starts a program of `host` that the document takes as given; it ends with the hosts.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn give(&mut self, host: &str, name: &str, program: &Path, arguments: &[&str]) {
        let mut command = self.network.on(host, program);
        command.args(arguments).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).spawn();
        let key = (host.to_owned(), name.to_owned());
        self.services.insert(key, child.expect("it can be started"));
    }

    /// Runs one command on a host and answers what it printed, where it succeeded.
    pub fn ask(&self, host: &str, user: &str, script: &str) -> Option<String> {
        let output = self.shell(host, user, &self.here(host, script));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(said)
    }

    fn sh(&self, block: &Block) -> String {
        let mut script = self.here(&block.host, &block.script);
        for (word, value) in &self.printed {
            script = script.replace(word, value);
        }
        let user = block.user.as_deref().unwrap_or(SERVICE);
        let output = self.shell(&block.host, user, &script);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "the block at line {} fails on {}:\n{}\n{said}\n{}",
            block.line,
            block.host,
            block.script,
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    fn shell(&self, host: &str, user: &str, script: &str) -> Output {
        let mut command = match uid(user) {
            0 => self.network.on(host, "/bin/sh"),
            uid => self.network.on_as(host, uid, "/bin/sh"),
        };
        let stand_ins = self.stand_ins();
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", stand_ins.display());
        command.args(["-euc", script]).env("PATH", path);
        let output = command.stdin(Stdio::null()).output();
        output.expect("a shell can be started")
    }

    /// The script with the folders of `host`, and with numbers for users that only the document
    /// has.
    fn here(&self, host: &str, script: &str) -> String {
        let root = self.root.join(host);
        let script = FOLDERS.iter().fold(script.to_owned(), |script, folder| {
            script.replace(folder, &format!("{}{folder}", root.display()))
        });
        USERS.iter().fold(script, |script, (user, uid)| {
            script.replace(&format!(" {user}: "), &format!(" {uid}:{uid} "))
        })
    }

    fn systemctl(&mut self, host: &str, order: &str) {
        let (verb, unit) = order.trim().rsplit_once(' ').expect("a unit");
        let key = (host.to_owned(), unit.to_owned());
        if let Some(service) = self.services.get_mut(&key) {
            signal(Pid::from_child(service), Signal::TERM);
            let ended = || service.try_wait().expect("our own child");
            let status = wait::until("a service stops", ended);
            assert!(status.success(), "{unit} of {host} ended with {status}");
            self.services.remove(&key);
        }
        if verb != "stop" {
            self.start(host, unit);
        }
    }

    fn start(&mut self, host: &str, unit: &str) {
        let file = self.units.join(format!("{unit}.service"));
        let text = fs::read_to_string(&file).expect("the unit's file");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let line = line.expect("a unit has an ExecStart");
        let arguments = line.strip_prefix("/usr/local/bin/ward ").expect("the tool");
        let arguments = self.here(host, arguments);
        let socket = self.root.join(format!("{host}.notify"));
        let ready = Ready::listen(&socket);
        let log_file = self.root.join(host).join(format!("{unit}.log"));
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&log_file);
        assert!(text.contains("\nUser=ward\n"), "{unit} is not root's");
        let mut command = self.network.on_as(host, uid(SERVICE), &self.ward);
        command
            .args(arguments.split(' '))
            .env("NOTIFY_SOCKET", &socket);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(log.expect("a log file"));
        let service = command.spawn().expect("the service can be started");
        // The hosts' from here on, so that it ends with them whatever comes.
        let key = (host.to_owned(), unit.to_owned());
        let service = self.services.entry(key).or_insert(service);
        ready.wait(&format!("{unit} of {host}"), service, &log_file);
    }

    fn stand_ins(&self) -> PathBuf {
        self.root.join("bin")
    }

    fn write_stand_ins(&self) {
        let bin = self.stand_ins();
        fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(&self.ward, bin.join("ward")).expect("a link");
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let nc = format!("exec python3 {}/nc.py \"$@\"", peers.display());
        // `scp -p FILE HOST:FILE`; FILE of this host is below its folder already.
        let scp = format!(
            "to=${{3#*:}}; to=${{to#{0}/*/}}; exec cp -p \"$2\" \"{0}/${{3%%:*}}/$to\"",
            self.root.display()
        );
        for (name, script) in [("nc", nc), ("scp", scp)] {
            let path = bin.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for service in self.services.values_mut() {
            // Nothing is signalled that was waited for: its number may be somebody else's.
            service.kill().expect("our own child");
            service.wait().expect("our own child");
        }
    }
}

/// Makes a folder of a host, for the user who has it in the document.
fn make(root: &Path, host: &str, folder: &str) {
    let owner = uid(if folder.starts_with("/home/") {
        "alice"
    } else {
        SERVICE
    });
    let folder = root.join(host).join(folder.trim_start_matches('/'));
    fs::create_dir_all(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("its mode");
    std::os::unix::fs::chown(&folder, Some(owner), Some(owner)).expect("its owner");
}

fn uid(user: &str) -> u32 {
    let found = USERS.iter().find(|(name, _)| *name == user);
    found.expect("a user of the document").1
}

/// Whom the services run as, and the blocks that name nobody.
const SERVICE: &str = "ward";
/// The document's users; the numbers are nobody's on this machine.
const USERS: [(&str, u32); 3] = [("root", 0), (SERVICE, 64_201), ("alice", 64_202)];
const FOLDERS: [&str; 3] = ["/var/lib/ward", "/etc/ward", "/home/alice"];
