//! The way of a log line to standard error: into a bounded queue, and written by a thread of its
//! own. A disk or a terminal that does not take lines must not hold up a thread that moves bytes.
//!
//! A line that finds no room is dropped and counted, and the next one that is written is preceded
//! by how many were.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at a time.
const LINES_MAX: usize = 4_096;

/// Bytes of those.
const BYTES_MAX: usize = 4 << 20;

/// How often a flush looks whether there is room for it.
const FLUSH_PAUSE: Duration = Duration::from_millis(1);

/// Where lines go. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    entries: SyncSender<Entry>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Everything before it is written: say so.
    Flush(SyncSender<()>),
}

impl Queue {
    /// Starts the thread that writes to `out`. It ends with the process.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (entries, waiting) = sync_channel(LINES_MAX);
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_out(&waiting, &counted, out))?;
        Ok(Self { entries, counts })
    }

    /// Puts a line in. Never waits.
    fn put(&self, line: &[u8]) {
        let waiting = self
            .counts
            .waiting_bytes
            .fetch_add(line.len(), Ordering::AcqRel);
        let fits = waiting + line.len() <= BYTES_MAX;
        if !fits || self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.counts
                .waiting_bytes
                .fetch_sub(line.len(), Ordering::AcqRel);
            self.counts.dropped.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// How many lines found no room so far.
    pub(super) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Acquire)
    }

    /// Waits until what was put in is written, or so long.
    pub(super) fn flush(&self, patience: Duration) {
        let end = crate::clock::monotonic() + patience;
        let (told, written) = sync_channel(1);
        let mut entry = Entry::Flush(told);
        loop {
            match self.entries.try_send(entry) {
                Ok(()) => break,
                Err(TrySendError::Full(again)) if crate::clock::monotonic() < end => entry = again,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return,
            }
            std::thread::sleep(FLUSH_PAUSE);
        }
        let left = end.saturating_duration_since(crate::clock::monotonic());
        // Who does not take lines within that time has had his chance.
        written.recv_timeout(left).unwrap_or_default();
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Queue;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Queue {
    /// One line: events are formatted whole before they are written.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_out(entries: &Receiver<Entry>, counts: &Counts, mut out: impl Write) {
    let mut told = 0;
    while let Ok(entry) = entries.recv() {
        match entry {
            Entry::Line(line) => {
                counts.waiting_bytes.fetch_sub(line.len(), Ordering::AcqRel);
                let dropped = counts.dropped.load(Ordering::Acquire);
                if dropped > told {
                    let more = dropped - told;
                    told = dropped;
                    write(
                        &mut out,
                        format!("{more} log lines found no room\n").as_bytes(),
                    );
                }
                write(&mut out, &line);
            }
            // A flush that nobody waits for any more needs no answer.
            Entry::Flush(written) => written.try_send(()).unwrap_or_default(),
        }
    }
}

fn write(out: &mut impl Write, line: &[u8]) {
    // A log that cannot be written is no reason to stop, and there is nobody to tell.
    out.write_all(line).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let queue = Queue::start(writer).unwrap();
        for number in 0..100 {
            (&queue)
                .write_all(format!("line {number}\n").as_bytes())
                .unwrap();
        }
        queue.flush(PATIENCE);
        drop(queue);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let expected: String = (0..100).map(|number| format!("line {number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn who_does_not_read_holds_nobody_up_and_what_was_dropped_is_told() {
        let (mut reader, writer) = io::pipe().unwrap();
        let queue = Queue::start(writer).unwrap();
        let line = [b'x'; 1024];
        // More than the pipe and the queue hold.
        for _ in 0..2 * LINES_MAX {
            queue.put(&line);
        }
        let dropped = queue.dropped();
        assert!(dropped > 0);
        queue.flush(Duration::from_millis(1));
        let drain = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        queue.flush(PATIENCE);
        queue.put(b"after\n");
        queue.flush(PATIENCE);
        drop(queue);
        let text = drain.join().unwrap().unwrap();
        assert!(text.ends_with("after\n"));
        // Told once or in parts, as the writer came to it.
        let told = text.split(['x', '\n']);
        let told = told.filter_map(|line| line.strip_suffix(" log lines found no room"));
        let told: u64 = told.map(|count| count.parse::<u64>().unwrap()).sum();
        assert_eq!(told, dropped);
    }
}
