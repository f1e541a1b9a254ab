//! The gateway pair as its users see it: plain TCP in at the edge, mutual TLS between, plain TCP
//! out at the core. One binary, one file a subject.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![expect(
    clippy::print_stdout,
    reason = "seeds, so that a failure can be repeated"
)]

mod authority;
mod basics;
mod bytes;
mod contain;
mod dicom;
mod endings;
mod house;
mod leases;
mod pair;
mod process;
mod refusals;
mod relay;
mod reuse;
mod reverse;
