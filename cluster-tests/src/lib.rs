//! Real processes, real faults: the whole stack under test.
//!
//! [`stack`] starts and kills `ward up`; [`peer`] holds the devices and servers around it;
//! [`scenario`] tells the stories, at any size, that the tests run small and `show` runs large.

pub mod bench;
pub mod canary;
pub mod dicom;
pub mod follow;
pub mod hosts;
pub mod peer;
pub mod raw;
pub mod scenario;
pub mod sniff;
pub mod stack;
pub mod wait;
