//! KMS figures: the same load through Ward, a bare gRPC echo and etcd, and the table.

mod channel;
pub mod echo;
pub mod etcd;
pub mod load;
pub mod pki;
pub mod table;
pub mod ward;
