//! Apply, verb by verb.
