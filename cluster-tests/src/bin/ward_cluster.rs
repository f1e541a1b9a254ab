//! The `ward` tool under another name, so that these tests can start it as real processes.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: sys::alloc::WipingAllocator = sys::alloc::WipingAllocator;

fn main() -> ExitCode {
    ward::main()
}
