//! An allocator that wipes what it gives back. Every binary of Ward installs it.
//!
//! `ring` and the TLS stack do not wipe their key types, and a growing `Vec` leaves its old bytes
//! behind. With this allocator, freed memory holds nothing, whoever freed it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::arch::asm;

/// The system's allocator, which overwrites each block with zeros before it is given back.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: sys::alloc::WipingAllocator = sys::alloc::WipingAllocator;
/// # fn main() {}
/// ```
///
/// # Security
///
/// Stack slots and registers are not covered, nor memory that was mapped without the allocator.
#[derive(Debug, Clone, Copy, Default)]
pub struct WipingAllocator;

// SAFETY: every block comes from `System` and goes back to it with the layout it was made with;
// wiping writes only inside the block, before it is given back.
#[expect(unsafe_code, reason = "an allocator cannot be written without it")]
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are handed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are handed on unchanged.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller owns `layout.size()` bytes at `block` and gives them up; nobody
        // reads them after this call.
        unsafe {
            wipe(block, layout.size());
            System.dealloc(block, layout);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_bytes: usize) -> *mut u8 {
        // The system's realloc may move the block and leave the old one as it was: move by hand.
        // SAFETY: the caller promises that `new_bytes`, rounded up to the alignment, fits isize.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_bytes, layout.align()) };
        // SAFETY: `new_bytes` is not zero, by the caller's promise.
        let new_block = unsafe { System.alloc(new_layout) };
        if new_block.is_null() {
            return new_block;
        }
        // SAFETY: both blocks are live, do not overlap, and hold at least the shorter length; the
        // old one is wiped and given back with its own layout.
        unsafe {
            new_block.copy_from_nonoverlapping(block, layout.size().min(new_bytes));
            self.dealloc(block, layout);
        }
        new_block
    }
}

/// Overwrites `bytes` bytes at `block` with zeros, in a way the optimizer may not leave out.
///
/// # Safety
///
/// `block` must be valid for writing `bytes` bytes.
#[inline]
#[expect(unsafe_code, reason = "writes through the allocator's raw pointer")]
unsafe fn wipe(block: *mut u8, bytes: usize) {
    // SAFETY: by this function's own contract.
    unsafe { block.write_bytes(0, bytes) };
    // SAFETY: the empty assembly touches nothing. As it might read memory through `block`, the
    // stores above are not dead, although the block is freed right after them.
    unsafe { asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 4096;

    /// Reads a block that was just given back. glibc's lists of free blocks keep their links in
    /// the first words, so only what follows them is looked at.
    #[expect(unsafe_code, reason = "the test looks at freed memory on purpose")]
    fn leftover(block: *const u8) -> usize {
        (64..BYTES)
            // SAFETY: freed blocks of this size stay mapped in the heap (below the mmap
            // threshold), and volatile reads of a `u8` need nothing but mapped memory.
            .filter(|&at| unsafe { block.add(at).read_volatile() } == 0xA5)
            .count()
    }

    #[expect(unsafe_code, reason = "calls the allocator by hand")]
    fn filled(allocator: &impl GlobalAlloc, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is not empty; the block is written within its size.
        unsafe {
            let block = allocator.alloc(layout);
            assert!(!block.is_null());
            block.write_bytes(0xA5, BYTES);
            block
        }
    }

    #[test]
    #[expect(unsafe_code, reason = "calls the allocator by hand")]
    fn a_freed_block_is_wiped() {
        let layout = Layout::from_size_align(BYTES, 16).unwrap();
        let block = filled(&WipingAllocator, layout);
        // SAFETY: made by the same allocator with the same layout.
        unsafe { WipingAllocator.dealloc(block, layout) };
        assert_eq!(leftover(block), 0);
    }

    #[test]
    #[expect(unsafe_code, reason = "calls the allocator by hand")]
    fn the_plain_allocator_leaves_bytes_behind() {
        // The positive control: without it, the test above could not fail.
        let layout = Layout::from_size_align(BYTES, 16).unwrap();
        let block = filled(&System, layout);
        // SAFETY: made by the same allocator with the same layout.
        unsafe { System.dealloc(block, layout) };
        assert!(leftover(block) > BYTES / 2);
    }

    #[test]
    #[expect(unsafe_code, reason = "calls the allocator by hand")]
    fn growing_and_shrinking_keep_the_bytes_and_wipe_the_old_block() {
        let layout = Layout::from_size_align(BYTES, 16).unwrap();
        for new_bytes in [2 * BYTES, BYTES / 2] {
            let block = filled(&WipingAllocator, layout);
            // SAFETY: made by the same allocator with the same layout; the new size is not zero.
            let moved = unsafe { WipingAllocator.realloc(block, layout, new_bytes) };
            assert_ne!(block, moved);
            assert_eq!(leftover(block), 0);
            let kept = new_bytes.min(BYTES);
            // SAFETY: the new block holds at least `kept` initialised bytes.
            let bytes = unsafe { std::slice::from_raw_parts(moved, kept) };
            assert!(bytes.iter().all(|&byte| byte == 0xA5));
            let new_layout = Layout::from_size_align(new_bytes, 16).unwrap();
            // SAFETY: made by the same allocator with this layout.
            unsafe { WipingAllocator.dealloc(moved, new_layout) };
        }
    }
}
