//! Ward's gateway, both roles: the edge beside devices and the core beside servers.
//! `gateway-proxy` and `ward gateway` run it.

mod accept;
pub mod archive;
pub mod buffers;
pub mod capture;
pub mod config;
pub mod contain;
pub mod core;
pub mod drain;
pub mod edge;
pub mod flow;
pub mod frame;
pub mod ids;
pub mod limits;
mod measure;
pub mod observe;
mod ops;
mod reach;
mod refuse;
pub mod rewrap;
mod run;
pub mod socket;
pub mod stack;
pub mod tls;
pub mod tunnel;

pub use run::{is_running, run};
