//! Overwrites what cryptographic code of others leaves behind on the stack.

/// Bytes of stack below the caller that are overwritten: more than the deepest frames of ring's
/// HMAC-SHA-512 and AES key schedule use together.
const STACK_BYTES: usize = 8 * 1024;

/// Overwrites the stack below the caller, where finished calls left key schedules and hash states.
///
/// ring does not wipe its temporaries. A frame of zeros in the same place does, without unsafe code;
/// it costs some tens of nanoseconds, once a message.
#[inline(never)]
pub(crate) fn stack() {
    let mut frame = [0u8; STACK_BYTES];
    // The compiler must believe that somebody reads the zeros, or it would not write them.
    std::hint::black_box(&mut frame);
}
