//! Processes of an earlier `up` that was killed: their pipe is closed, so they are on their way
//! out, and still hold ports and locks.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::sleep;

use super::layout::{Layout, ProcessName};
use super::patience;
use crate::error::Failure;
use crate::output::say;

/// Waits for what an earlier run left behind, and kills what does not go by itself.
pub(crate) async fn clear(layout: &Layout, names: &[ProcessName]) -> Result<(), Failure> {
    let deadline = sys::clock::monotonic() + patience::LONGEST;
    let mut told = false;
    for &name in names {
        while let Some(pid) = running(layout, name) {
            if !told {
                say("Waiting for processes of an earlier run to end …");
                told = true;
            }
            if sys::clock::monotonic() >= deadline {
                kill(pid, layout, name)?;
            }
            sleep(INTERVAL).await;
        }
    }
    Ok(())
}

/// The process that `DIR/run` names, if it lives and is really the one: ids are given again.
fn running(layout: &Layout, name: ProcessName) -> Option<Pid> {
    let text = std::fs::read_to_string(layout.pid(name)).ok()?;
    let pid = Pid::from_raw(text.trim().parse().ok()?)?;
    let command = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    runs_with(&command, &layout.config(name)).then_some(pid)
}

/// Whether a command line, as the kernel shows it, names the settings file.
fn runs_with(command: &[u8], config: &Path) -> bool {
    let config = config.as_os_str().as_encoded_bytes();
    command.split(|&byte| byte == 0).any(|word| word == config)
}

fn kill(pid: Pid, layout: &Layout, name: ProcessName) -> Result<(), Failure> {
    let wrong = |error: rustix::io::Errno| {
        Failure::io(format!("cannot end the former {name}"), &error.into())
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        // The handle is of one process, the number may be another's by now: look once more.
        Ok(handle) if running(layout, name) == Some(pid) => {
            match pidfd_send_signal(&handle, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(wrong(error)),
            }
        }
        Ok(_) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(wrong(error)),
    }
}

const INTERVAL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_settings_file_tells_a_process() {
        let config = Path::new("/d/node-1/node.toml");
        let own = b"ward\0node\0--config\0/d/node-1/node.toml\0--supervised\0";
        assert!(runs_with(own, config));
        assert!(!runs_with(b"vi\0/d/node-1/node.toml.bak\0", config));
        assert!(!runs_with(b"", config));
    }

    #[tokio::test]
    async fn a_number_that_is_another_process_by_now_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        std::fs::write(
            layout.pid(ProcessName::Edge),
            std::process::id().to_string(),
        )
        .unwrap();
        clear(&layout, &[ProcessName::Edge]).await.unwrap();
    }
}
