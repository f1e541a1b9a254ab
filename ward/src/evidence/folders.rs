//! Evidence from the data directories of nodes that are stopped.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Sink, broken, io_failure};
use crate::error::{Failure, Reason};
use crate::up::ClusterFile;

/// The nodes' data directories below one of `ward up`; none when it is something else.
pub(super) fn of_data_dir(dir: &Path) -> Result<Option<Vec<(u64, PathBuf)>>, Failure> {
    let Some(file) = ClusterFile::load(&dir.join("cluster.toml"))? else {
        return Ok(None);
    };
    let folder = |(at, node): (usize, &crate::up::NodePorts)| {
        (node.id, dir.join(format!("node-{}", at + 1)))
    };
    Ok(Some(file.nodes.iter().enumerate().map(folder).collect()))
}

/// Whose data directory this is.
pub(super) fn node_of(dir: &Path) -> Result<u64, Failure> {
    let given = kms_server::node::given(dir)?;
    given.map(|given| given.node_id).ok_or_else(|| {
        let sentence = format!(
            "{} is no node's data directory: name the `data_dir` of a node.toml",
            dir.display()
        );
        Failure::new(Reason::NO_CLUSTER, sentence)
    })
}

/// Reads the logs and the copies of the anchors beside them.
pub(super) fn read(folders: &[(u64, PathBuf)], sink: &mut impl Sink) -> Result<(), Failure> {
    for (_, dir) in folders {
        let path = dir.join("anchors.json");
        match std::fs::read(&path) {
            Ok(json) => sink.document(&json)?,
            // The other nodes' copies have the same anchors.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_failure("read", &path)(error)),
        }
    }
    for (node, dir) in folders {
        let audit = dir.join("audit");
        // What this user may not look at is not gone; reading it says so.
        if matches!(audit.try_exists(), Ok(false)) {
            let sentence = format!(
                "{} is gone, and the node's audit log with it",
                audit.display()
            );
            sink.missing(*node, broken(sentence))?;
            continue;
        }
        sink.node(*node)?;
        let files = kms_server::audit::list(&audit)
            .map_err(|error| Failure::new(Reason::STORAGE, sys::talk::chain(&error)))?;
        for file in files {
            sink.file(&file.name, file.bytes)?;
            read_file(&audit.join(&file.name), file.bytes, sink)?;
        }
    }
    Ok(())
}

fn read_file(path: &Path, bytes: u64, sink: &mut impl Sink) -> Result<(), Failure> {
    let failed = io_failure("read", path);
    let mut file = File::open(path).map_err(&failed)?.take(bytes);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = bytes;
    while left > 0 {
        let read = file.read(&mut buffer).map_err(&failed)?;
        if read == 0 {
            let sentence = format!("{} became shorter while it was read", path.display());
            return Err(broken(sentence));
        }
        sink.data(&buffer[..read])?;
        left -= read as u64;
    }
    Ok(())
}

const BUFFER_BYTES: usize = 256 * 1_024;
