//! Gateway figures: a load, the peers it is put through, what they used, and the table. KMS figures
//! beside them.

pub mod kms;
pub mod load;
pub mod peers;
pub mod table;
pub mod usage;

use std::path::PathBuf;
use std::time::Duration;

/// How much is measured, of whom.
#[derive(clap::Args)]
pub struct Extent {
    /// The tool under test.
    #[arg(long, default_value = "target/release/ward")]
    pub ward: PathBuf,
    /// Interleaved rounds; the table has their medians.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Seconds of each load.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

impl Extent {
    /// How long each load is.
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
