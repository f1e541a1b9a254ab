//! Five hosts on one machine: network namespaces, and a document whose commands run in them.

pub mod document;
pub mod network;
pub mod services;
