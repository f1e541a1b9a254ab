//! Cuts what nobody understands into stretches, by length and by silence.

use super::{Cut, End, OPAQUE_BYTES_MAX};

/// The open stretch of one direction.
#[derive(Debug, Default)]
pub struct Opaque {
    bytes: u64,
}

impl Opaque {
    /// Starts with nothing open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes up to the length limit.
    pub fn cut(&mut self, bytes: &[u8]) -> Cut {
        let room = usize::try_from(OPAQUE_BYTES_MAX - self.bytes).unwrap_or(usize::MAX);
        let used = bytes.len().min(room);
        self.bytes += used as u64;
        let full = self.bytes == OPAQUE_BYTES_MAX;
        if full {
            self.bytes = 0;
        }
        Cut {
            used,
            end: full.then_some(End::Complete),
        }
    }

    /// Whether silence ends the stretch.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.bytes > 0
    }

    /// Ends the stretch.
    pub fn silence(&mut self) -> End {
        self.bytes = 0;
        End::Complete
    }
}
