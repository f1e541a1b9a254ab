//! A switch and hosts as network namespaces. Nothing of them is seen outside, so every test may
//! use the addresses that the document names, side by side with others.

use std::path::Path;
use std::process::Command;

/// The hosts, cabled to one switch. Dropping it takes all namespaces away.
pub struct Network {
    prefix: String,
    names: Vec<String>,
}

impl Network {
    /// Whether namespaces can be made here.
    pub fn is_possible() -> bool {
        let name = format!("{PREFIX}{}-probe", std::process::id());
        let made = quietly(&["netns", "add", &name]);
        made && quietly(&["netns", "del", &name])
    }

    /// Makes the hosts, each with its address in a /24.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn new(hosts: &[(&str, &str)]) -> Self {
        clear_leftovers();
        let mut network = Self {
            prefix: format!("{PREFIX}{}-", std::process::id()),
            names: Vec::new(),
        };
        let switch = network.add("switch");
        ip(&["-n", &switch, "link", "add", "lan", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "lan", "up"]);
        for (at, (host, address)) in hosts.iter().enumerate() {
            let name = network.add(host);
            let port = format!("port{at}");
            ip(&[
                "-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", "eth0",
                "netns", &name,
            ]);
            ip(&["-n", &switch, "link", "set", &port, "master", "lan", "up"]);
            let address = format!("{address}/24");
            ip(&["-n", &name, "address", "add", &address, "dev", "eth0"]);
            ip(&["-n", &name, "link", "set", "eth0", "up"]);
            ip(&["-n", &name, "link", "set", "lo", "up"]);
        }
        network
    }

    /// A command that runs `program` on `host`; the process is the program itself.
    pub fn on(&self, host: &str, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}{host}", self.prefix)]);
        command.arg(program.as_ref());
        command
    }

    /// The same by another user, who has no group but their own and can become nobody else.
    pub fn on_as(&self, host: &str, uid: u32, program: impl AsRef<Path>) -> Command {
        let mut command = self.on(host, "setpriv");
        let id = uid.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        command.args(["--no-new-privs", "--inh-caps=-all"]);
        command.arg(program.as_ref());
        command
    }

    fn add(&mut self, host: &str) -> String {
        let name = format!("{}{host}", self.prefix);
        ip(&["netns", "add", &name]);
        self.names.push(name.clone());
        name
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            if !quietly(&["netns", "del", name]) {
                sys::talk::say(format_args!("the namespace {name} stays behind"));
            }
        }
    }
}

/// Takes away what a killed test left: the process whose id stands in the name is gone.
fn clear_leftovers() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else {
        return;
    };
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let of = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        let gone = of.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        if gone {
            quietly(&["netns", "del", &name]);
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output();
    let output = output.expect("`ip` can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {said}");
}

fn quietly(arguments: &[&str]) -> bool {
    let output = Command::new("ip").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

const PREFIX: &str = "wardtest-";
