//! The `ward` program: every process of Ward in one binary.

#[global_allocator]
static ALLOCATOR: sys::alloc::WipingAllocator = sys::alloc::WipingAllocator;

fn main() -> std::process::ExitCode {
    ward::main()
}
