//! Streams of any size pass in constant memory.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::harness::{Stack, WARD, wait_for};

#[test]
fn a_long_stream_needs_no_more_memory_than_a_short_one() {
    let stack = Stack::up(&["--nodes", "1"]);
    stack.json(&["key", "create", "lab"]);
    let ward = |arguments: &[&str], input: Stdio| -> Child {
        Command::new(WARD)
            .args(arguments)
            .env("WARD_HOME", stack.dir())
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut encrypt = ward(&["encrypt", "--key", "lab"], Stdio::piped());
    let sealed = encrypt.stdout.take().unwrap();
    let mut decrypt = ward(&["decrypt"], sealed.into());

    let mut opened = decrypt.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        for number in 0..PIECES {
            opened.read_exact(&mut piece).unwrap();
            assert!(piece.iter().all(|byte| *byte == number as u8), "{number}");
        }
        assert_eq!(opened.read(&mut piece).unwrap(), 0);
    });
    let mut feed = encrypt.stdin.take().unwrap();
    for number in 0..PIECES {
        feed.write_all(&vec![number as u8; PIECE_BYTES]).unwrap();
    }
    // Both are still there: the stream has not ended for them.
    for child in [&encrypt, &decrypt] {
        let peak = peak_kib(child.id());
        eprintln!("peak of {} KiB for {PIECES} MiB", peak);
        assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
    }
    drop(feed);
    reader.join().unwrap();
    for child in [&mut encrypt, &mut decrypt] {
        let status = wait_for("the verb to end", || child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

/// The most memory a process has had so far.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().strip_suffix("kB").unwrap();
    kib.trim().parse().unwrap()
}

const PIECE_BYTES: usize = 1024 * 1024;
const PIECES: usize = 256;
const PEAK_KIB_MAX: u64 = 64 * 1024;
