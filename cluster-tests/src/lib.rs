//! Real processes, real faults: the whole stack under test.
//!
//! [`stack`] starts and kills `ward up`; [`site`] enrols and starts each process by itself;
//! [`peer`] and [`flows`] hold the devices and servers around them; [`scenario`] tells the stories,
//! at any size, that the tests run small and `show` runs large.

pub mod bench;
pub mod canary;
pub mod dicom;
pub mod files;
pub mod flows;
pub mod follow;
pub mod hosts;
pub mod peer;
pub mod raw;
pub mod ready;
pub mod relay;
pub mod scenario;
pub mod site;
pub mod skip;
pub mod sniff;
pub mod stack;
pub mod wait;
