//! Memory for bytes in motion. Each data thread has its own and lends it: a flow owns a buffer
//! only while something is left in it, so an idle flow owns none. Used by the pumps and tunnels.

use std::cell::RefCell;

use crate::limits::{
    QUANTUM_BYTES, RECORD_PLAINTEXT_BYTES, SPARE_BUFFER_BYTES_MAX, SPARE_BUFFERS_MAX,
    TUNNEL_READ_BYTES,
};

thread_local! {
    static PLAIN: RefCell<Box<[u8]>> =
        RefCell::new(vec![0; QUANTUM_BYTES[QUANTUM_BYTES.len() - 1]].into());
    static SEALED: RefCell<Box<[u8]>> =
        RefCell::new(vec![0; TUNNEL_READ_BYTES + RECORD_PLAINTEXT_BYTES + 1024].into());
    static SPARE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Bytes in, bytes out: filled behind, emptied in front.
#[derive(Debug, Default)]
pub struct Buffer {
    /// All of it is initialised, so that growing is the only time it is written for nothing.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// A buffer of this thread, empty.
    pub fn take() -> Self {
        SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    /// Gives the buffer's memory back to the thread, if it is empty.
    pub fn give_back_if_empty(&mut self) {
        if self.is_empty() && !self.bytes.is_empty() {
            let mut buffer = std::mem::take(self);
            (buffer.start, buffer.end) = (0, 0);
            SPARE.with_borrow_mut(|spare| {
                if spare.len() < SPARE_BUFFERS_MAX && buffer.bytes.len() <= SPARE_BUFFER_BYTES_MAX {
                    spare.push(buffer);
                }
            });
        }
    }

    /// What is in it.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How much is in it.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// At least `room` bytes behind what is in it, to be written and then counted by
    /// [`advance`](Self::advance).
    pub fn room(&mut self, room: usize) -> &mut [u8] {
        if self.bytes.is_empty() {
            *self = Self::take();
        }
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let needed = self.end + room;
        if self.bytes.len() < needed {
            self.bytes.resize(needed.next_power_of_two(), 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Counts bytes that were written into [`room`](Self::room).
    pub fn advance(&mut self, count: usize) {
        assert!(
            count <= self.bytes.len() - self.end,
            "more than there was room for"
        );
        self.end += count;
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.advance(bytes.len());
    }

    /// Drops bytes in front.
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.len(), "more than there is");
        self.start += count;
    }
}

/// Lends the thread's place for plaintext that is read and sealed in one go.
pub fn with_plain<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    PLAIN.with_borrow_mut(|place| work(place))
}

/// Lends the thread's place for a tunnel's ciphertext: one read, and the part of a record left by
/// the last one in front of it.
pub fn with_sealed<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    SEALED.with_borrow_mut(|place| work(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut buffer = Buffer::default();
        buffer.push(b"one");
        buffer.push(b"two");
        buffer.consume(2);
        buffer.push(b"three");
        assert_eq!(buffer.filled(), b"etwothree");
        buffer.consume(9);
        assert!(buffer.is_empty());
    }

    #[test]
    fn an_emptied_buffer_goes_back_and_a_filled_one_stays() {
        let mut buffer = Buffer::default();
        buffer.push(b"x");
        buffer.give_back_if_empty();
        assert_eq!(buffer.filled(), b"x");
        buffer.consume(1);
        buffer.give_back_if_empty();
        assert_eq!(buffer.bytes.capacity(), 0);
        assert_eq!(SPARE.with_borrow(Vec::len), 1);
        buffer.push(b"y");
        assert_eq!(SPARE.with_borrow(Vec::len), 0, "the spare was used");
    }
}
