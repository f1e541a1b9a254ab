//! Real processes, real faults: the whole stack under test.
//!
//! [`stack`] starts and kills `ward up`; [`cluster`] enrols and starts each node by itself and does
//! it harm, [`site`] gateways beside them; [`attack`] sends it what broke others; [`peer`] and
//! [`flows`] hold the devices and servers around them; [`history`] checks what clients were told;
//! [`scenario`] tells the stories, at any size, that the tests run small and `show` runs large.

pub mod attack;
pub mod bench;
pub mod canary;
pub mod cluster;
pub mod dicom;
pub mod files;
pub mod flows;
pub mod follow;
pub mod history;
pub mod hosts;
pub mod peer;
pub mod raw;
pub mod ready;
pub mod relay;
pub mod scenario;
pub mod service;
pub mod site;
pub mod skip;
pub mod sniff;
pub mod sockets;
pub mod stack;
pub mod tool;
pub mod wait;
