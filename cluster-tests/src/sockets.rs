//! Whose a connection on loopback is: its inode, found among a process's open files in `/proc`.

use std::fs;
use std::net::SocketAddr;

use rustix::process::Pid;

/// Whether it can be seen here what this process is connected to: root alone sees that of a process
/// that hardens itself, as Ward's do.
pub fn can_tell(process: Pid) -> bool {
    fs::read_dir(open_files(process)).is_ok()
}

/// Which of these processes has the connection from `peer` to `here`, by its place among them.
pub fn owner(
    processes: impl Iterator<Item = Pid>,
    peer: SocketAddr,
    here: SocketAddr,
) -> Option<usize> {
    let mut processes = processes.peekable();
    processes.peek()?;
    let name = format!("socket:[{}]", inode(peer.port(), here.port())?);
    processes.into_iter().position(|process| {
        let files = fs::read_dir(open_files(process)).into_iter().flatten();
        let mut links = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str() == name.as_str())
    })
}

fn open_files(process: Pid) -> String {
    format!("/proc/{}/fd", process.as_raw_nonzero())
}

/// The inode of the connection between two ports of loopback, at the end with port `local`.
fn inode(local: u16, remote: u16) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux has procfs");
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |field: usize| {
            let (_, port) = fields.get(field)?.rsplit_once(':')?;
            u16::from_str_radix(port, 16).ok()
        };
        let found = port(1) == Some(local) && port(2) == Some(remote);
        found.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}
