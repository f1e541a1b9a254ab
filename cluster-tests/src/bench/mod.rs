//! Gateway figures: a load, the peers it is put through, what they used, and the table.

pub mod load;
pub mod peers;
pub mod table;
pub mod usage;
