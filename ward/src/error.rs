//! The one error of the tool: a reason for scripts, a sentence for people.
//!
//! Every verb ends in a [`Failure`]; `main` prints it once, as the line of the contract.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use kms_client::reason::Reason as KmsReason;

/// Why a command did not do what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    reason: Reason,
    sentence: String,
}

/// A machine-readable reason in SCREAMING_SNAKE_CASE. The KMS's own come from `kms_client`, a
/// child's from its last words, the tool's are constants here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason(Cow<'static, str>);

impl Reason {
    /// Another `ward up` holds the data directory.
    pub(crate) const LOCKED: Self = Self::named("LOCKED");
    /// The directory holds no cluster, or only a part of one.
    pub(crate) const NO_CLUSTER: Self = Self::named("NO_CLUSTER");
    /// The directory holds a cluster of another size.
    pub(crate) const NODES_FIXED: Self = Self::named("NODES_FIXED");
    /// The cluster has removed this node.
    pub(crate) const NODE_REMOVED: Self = Self::named("NODE_REMOVED");
    /// An address somebody asked for is taken.
    pub(crate) const PORT_IN_USE: Self = Self::named("PORT_IN_USE");
    /// A newer version wrote the data.
    pub(crate) const VERSION_NEWER: Self = Self::named("VERSION_NEWER");
    /// An argument is well formed and yet cannot be used.
    pub(crate) const INVALID_ARGUMENT: Self = Self::named("INVALID_ARGUMENT");
    /// Something that was checked is not as it must be.
    pub(crate) const CHECK_FAILED: Self = Self::named("CHECK_FAILED");
    /// A certificate's time is over: the caller's, or a node's.
    pub(crate) const CERTIFICATE_EXPIRED: Self = Self::named("CERTIFICATE_EXPIRED");
    /// The cluster or the token is another one than was told.
    pub(crate) const CERTIFICATE_FOREIGN: Self = Self::named("CERTIFICATE_FOREIGN");
    /// The token is none, or not for what it is used for.
    pub(crate) const TOKEN_INVALID: Self = Self::named("TOKEN_INVALID");
    /// The directory belongs to a cluster already.
    pub(crate) const ALREADY_INITIALISED: Self = Self::named("ALREADY_INITIALISED");
    /// What was to be opened is not whole, not Ward's, or not for this key and context.
    pub(crate) const OPEN_FAILED: Self = Self::named("OPEN_FAILED");
    /// The disk is full.
    pub(crate) const STORAGE_FULL: Self = Self::named("STORAGE_FULL");
    /// No audit record can be kept.
    pub(crate) const AUDIT_UNAVAILABLE: Self = Self::named("AUDIT_UNAVAILABLE");
    /// An audit log does not hold.
    pub(crate) const AUDIT_BROKEN: Self = Self::named("AUDIT_BROKEN");
    /// Nobody is there who could do it.
    pub(crate) const UNAVAILABLE: Self = Self::named("UNAVAILABLE");
    /// Something did not come about in time.
    pub(crate) const DEADLINE: Self = Self::named("DEADLINE");
    /// Reading or writing failed.
    pub(crate) const STORAGE: Self = Self::named("STORAGE");
    /// A signal came before the command was done.
    pub(crate) const INTERRUPTED: Self = Self::named("INTERRUPTED");
    /// A mistake of ours.
    pub(crate) const INTERNAL: Self = Self::named("INTERNAL");

    const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Takes a reason that another part of Ward named; anything else becomes INTERNAL.
    pub(crate) fn parse(name: &str) -> Self {
        let snake = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(snake) {
            return Self::INTERNAL;
        }
        Self(Cow::Owned(name.to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Failure {
    /// Makes the failure; `sentence` says what happened and what to do.
    pub(crate) fn new(reason: Reason, sentence: impl Into<String>) -> Self {
        Self {
            reason,
            sentence: sentence.into(),
        }
    }

    /// Makes the failure of an input or output: `what` was being done when it came.
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        let (reason, remedy) = if full.contains(&error.kind()) {
            (Reason::STORAGE_FULL, "; free some space and try again")
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            (
                Reason::STORAGE,
                "; check the owner and the mode, or run as the user who made it",
            )
        } else {
            (Reason::STORAGE, "; check the path and the disk")
        };
        Self::new(reason, format!("{what}: {error}{remedy}"))
    }

    /// Makes the failure of a part that names its reason itself, with the chain of causes.
    pub(crate) fn told(reason: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new(Reason::parse(reason), sys::talk::chain(error))
    }

    /// Puts `whose` in front of the sentence.
    pub(crate) fn of(mut self, whose: impl fmt::Display) -> Self {
        self.sentence = format!("{whose}: {}", self.sentence);
        self
    }

    /// The machine-readable reason.
    pub(crate) fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Whether doing the same again may work, since others have to come up first.
    pub(crate) fn may_pass(&self) -> bool {
        let named = |reason: &&KmsReason| reason.as_str() == self.reason.0;
        KmsReason::ALL
            .iter()
            .find(named)
            .is_some_and(|reason| reason.may_pass())
    }

    /// What the process answers with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::FAILURE
    }
}

impl fmt::Display for Failure {
    /// One line, whatever the sentence was made of.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&sys::talk::complaint(&self.reason, &self.sentence))
    }
}

impl Error for Failure {}

impl From<kms_client::Error> for Failure {
    fn from(error: kms_client::Error) -> Self {
        Self::told(&error.reason().to_string(), &error)
    }
}

impl From<kms_server::NodeError> for Failure {
    fn from(error: kms_server::NodeError) -> Self {
        Self::told(&error.reason().to_string(), &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_always_one_line() {
        let failure = Failure::new(Reason::STORAGE, "first\nsecond\r\n  third");
        assert_eq!(failure.to_string(), "error[STORAGE]: first second third");
    }

    #[test]
    fn a_foreign_reason_is_taken_only_when_it_looks_like_one() {
        assert_eq!(Reason::parse("KEY_DISABLED").to_string(), "KEY_DISABLED");
        for odd in ["", "key_disabled", "A B", "X]: forged"] {
            assert_eq!(Reason::parse(odd), Reason::INTERNAL, "{odd:?}");
        }
    }

    #[test]
    fn what_may_pass_is_what_the_client_library_says() {
        for reason in KmsReason::ALL {
            let failure = Failure::new(Reason::parse(reason.as_str()), "x");
            assert_eq!(failure.may_pass(), reason.may_pass(), "{reason}");
        }
        assert!(!Failure::new(Reason::INTERRUPTED, "x").may_pass());
    }

    #[test]
    fn a_full_disk_has_its_own_reason() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let failure = Failure::io("cannot write x", &full);
        assert_eq!(failure.reason(), &Reason::STORAGE_FULL);
    }
}
