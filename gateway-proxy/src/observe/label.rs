//! What an observer says of an object in clear: pairs for the object's encryption context, which
//! is authenticated and not secret.

use envelope::context::reserved;

/// Names of applications and of kinds of messages, as the sender of the bytes gave them; never
/// anything of a patient, of a user, or of one examination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label(Vec<(&'static str, String)>);

impl Label {
    /// Nothing is said.
    pub(super) const NONE: Self = Self(Vec::new());

    /// The pairs, each name once; all names are reserved ones.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Adds a pair, in the place of one of the same name.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        debug_assert!(name.starts_with(reserved::PREFIX));
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
    }
}
