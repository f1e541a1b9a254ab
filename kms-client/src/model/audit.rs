//! Files of an audit log.

/// A file of a node's audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFile {
    /// Its name; names sort by age.
    pub name: String,
    /// Bytes of it that are durable.
    pub bytes: u64,
}
