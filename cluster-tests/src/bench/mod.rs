//! Gateway figures: a load, the peers it is put through, what they used, and the table. KMS figures
//! beside them.

pub mod kms;
pub mod load;
pub mod peers;
pub mod table;
pub mod usage;
