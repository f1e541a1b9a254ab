//! The one error of this crate: a stable reason for machines, a sentence for people.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::reason::Reason;

/// What went wrong and what to do about it.
///
/// `Display` is the sentence alone; `ward` prints it as `error[REASON]: sentence`. Neither holds
/// a secret or any bytes of the request.
#[derive(Debug)]
pub struct Error {
    reason: Reason,
    message: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What this crate's functions answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error; `message` says what, and what to do.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            retry_after: None,
            source: None,
        }
    }

    /// Adds when the same may be asked for again.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Tells why, for machines.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Tells, with [`Reason::Quota`], after how long there is room again at the node that refused
    /// it, if nothing else is asked for; none where no waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Tells what, and what to do, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<envelope::FormatError> for Error {
    fn from(error: envelope::FormatError) -> Self {
        Self::new(Reason::InvalidArgument, error.to_string())
    }
}

impl From<envelope::OpenFailed> for Error {
    fn from(error: envelope::OpenFailed) -> Self {
        Self::new(Reason::OpenFailed, error.to_string())
    }
}
