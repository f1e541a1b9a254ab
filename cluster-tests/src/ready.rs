//! What systemd is to a service that starts: the socket on which it says that it is ready.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Child;

use crate::{files, wait};

/// The socket, which NOTIFY_SOCKET names to one service.
pub struct Ready(UnixDatagram);

impl Ready {
    /// Makes it anew at `path`, for services of any user.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn listen(path: &Path) -> Self {
        files::remove(path);
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("its mode");
        Self(socket)
    }

    /// Waits until the service says it.
    ///
    /// # Panics
    /// When it ends or is too late, with its log.
    pub fn wait(&self, name: &str, service: &mut Child, log: &Path) {
        let said = || fs::read_to_string(log).expect("a log");
        let ready = wait::within(wait::DEADLINE, || {
            let ended = service.try_wait().expect("our own child");
            assert!(ended.is_none(), "{name} ended: {}", said());
            let mut word = [0; 64];
            match self.0.recv(&mut word) {
                Ok(count) => word[..count].starts_with(b"READY=1").then_some(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(error) => panic!("{name}: {error}"),
            }
        });
        assert!(ready.is_some(), "{name} is not ready: {}", said());
    }
}
