//! Replicas over real gRPC on loopback: killed, restarted, joined, moved.

mod cluster;
mod disk;
mod life;
mod measure;
