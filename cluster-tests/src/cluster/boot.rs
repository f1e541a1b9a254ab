//! A boot of a node's own: what a machine is started anew with after its power was cut. The node
//! sees it in place of the machine's, in a mount namespace of its own.

use std::path::{Path, PathBuf};

use crate::tool::text;

/// Names the present run of a node's machine.
pub(super) struct Boot {
    file: PathBuf,
    number: u64,
}

impl Boot {
    /// The first, named in a file in `folder`.
    pub(super) fn first(folder: &Path, name: &str) -> Self {
        let mut boot = Self {
            file: folder.join(format!("{name}.boot")),
            number: 0,
        };
        boot.again();
        boot
    }

    /// The machine is started anew.
    pub(super) fn again(&mut self) {
        self.number += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}\n", self.number);
        std::fs::write(&self.file, id).expect("a file");
    }

    /// The program and the arguments that run `program` on that machine.
    pub(super) fn on(&self, program: &Path, arguments: &[String]) -> (PathBuf, Vec<String>) {
        // What is mounted and unmounted outside is so inside as well.
        let around = ["--mount", "--propagation", "slave", "sh", "-c", BIND];
        let mut all: Vec<String> = around.map(String::from).into();
        all.extend([text(&self.file), text(program)]);
        all.extend_from_slice(arguments);
        ("unshare".into(), all)
    }
}

/// The same process becomes the program.
const BIND: &str = r#"mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@""#;
