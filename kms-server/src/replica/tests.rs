//! Replicas over real gRPC on loopback: killed, restarted, joined, moved.

mod cluster;
mod disk;
mod format;
mod life;
mod measure;
mod removal;
mod steady;
mod transfer;
