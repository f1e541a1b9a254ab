//! Runs the scenarios at any size and prints what was seen; for figures, build with `--release`.

#![expect(clippy::print_stdout, reason = "printing is its job")]

mod cluster;
mod contain;
mod stack;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use cluster_tests::scenario::contain::Size;
use cluster_tests::scenario::{failover, histories};

#[derive(Parser)]
struct Args {
    /// The tool under test.
    #[arg(long, default_value = "target/release/ward")]
    ward: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// python-hl7 on both ends; archive against stream.
    Hl7 {
        /// Messages.
        #[arg(default_value_t = 1000)]
        messages: usize,
    },
    /// DCMTK on both ends, pydicom's files; archive against stream, with a reverse route.
    Dicom {
        /// At most so many files.
        #[arg(default_value_t = 1000)]
        files: usize,
    },
    /// Planted names on the wire and on disk.
    Wire {
        /// Messages.
        #[arg(default_value_t = 200)]
        messages: usize,
    },
    /// Planted secrets in every place they can enter, with everything logged; where they come out.
    Canaries,
    /// Many keys: rate, memory, restarts, a rebuilt state, a lost disk.
    Keys {
        /// Keys.
        #[arg(default_value_t = 1_000_000)]
        keys: usize,
    },
    /// A client without a certificate.
    Stranger,
    /// SIGKILL of leader, edge and core in turn, then of everything.
    Kills {
        /// Rounds of three kills.
        #[arg(default_value_t = 5)]
        rounds: usize,
    },
    /// DisableKey on one node against Decrypt on the others.
    Disabled {
        /// Rounds of two tries.
        #[arg(default_value_t = 100)]
        rounds: usize,
    },
    /// Orders against devices whose flows stream, also with gateways cut off and paused.
    Contain {
        /// Orders while all is well.
        #[arg(default_value_t = 100)]
        rounds: usize,
        /// Flows over eight devices.
        #[arg(default_value_t = 200)]
        flows: usize,
    },
    /// Clients on all nodes while harm is done to the cluster; all checkers over what they were
    /// told.
    Histories {
        /// Histories, with seeds from the first on.
        #[arg(default_value_t = 10)]
        histories: u64,
        /// Calls of each.
        #[arg(long, default_value_t = 10_000)]
        calls: usize,
        /// Nodes.
        #[arg(long, default_value_t = 3)]
        nodes: usize,
        /// The first seed; chosen by chance unless given.
        #[arg(long)]
        seed: Option<u64>,
        /// What is done: plain (kills, pauses), crashes (at named points; give --ward
        /// target/release/ward-cluster, which has them), ways (between nodes), disks (power cuts,
        /// full disks), clocks, or none.
        #[arg(long, value_delimiter = ',', default_value = "plain,ways,disks,clocks")]
        harm: Vec<String>,
        /// Where a history with a violation is left.
        #[arg(long, default_value = "target/histories")]
        keep: PathBuf,
    },
    /// Writes while the leader is killed, paused, and no longer heard; how long none is answered.
    Failover {
        /// Rounds of each.
        #[arg(default_value_t = 50)]
        rounds: usize,
        /// Keys that there are before.
        #[arg(long, default_value_t = 10)]
        keys: usize,
    },
    /// Every ending, direct and through the pair.
    Endings {
        /// Rounds of all cases.
        #[arg(default_value_t = 5)]
        rounds: usize,
    },
}

fn main() {
    let Args { ward, what } = Args::parse();
    assert!(
        ward.exists(),
        "{} is not there: build it (`cargo build --release -p ward`), or give --ward FILE",
        ward.display()
    );
    let dir = tempfile::tempdir().expect("a temporary folder");
    match what {
        What::Hl7 { messages } => stack::hl7(&ward, dir.path(), messages),
        What::Dicom { files } => stack::dicom(&ward, dir.path(), files),
        What::Wire { messages } => stack::wire(&ward, dir.path(), messages),
        What::Canaries => stack::canaries(&ward, dir.path()),
        What::Keys { keys } => cluster::many_keys(&ward, dir.path(), keys),
        What::Stranger => stack::stranger(&ward, dir.path()),
        What::Kills { rounds } => stack::kills(&ward, dir.path(), rounds),
        What::Disabled { rounds } => stack::disabled(&ward, dir.path(), rounds),
        What::Contain { rounds, flows } => {
            contain::contain(&ward, dir.path(), Size { rounds, flows });
        }
        What::Histories {
            histories,
            calls,
            nodes,
            seed,
            harm,
            keep,
        } => {
            let size = histories::Size {
                seed: seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
                nodes,
                calls,
                harms: harm.iter().flat_map(|name| cluster::kinds(name)).collect(),
            };
            cluster::many_histories(&ward, dir.path(), &keep, size, histories);
        }
        What::Failover { rounds, keys } => {
            cluster::failover(&ward, dir.path(), failover::Size { rounds, keys });
        }
        What::Endings { rounds } => stack::endings(&ward, dir.path(), rounds),
    }
}
