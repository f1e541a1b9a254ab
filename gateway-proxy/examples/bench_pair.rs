//! Measures an edge and a core in one process, each on one data thread of its own: bulk, small
//! requests, new flows. For a profiler and for quick comparisons; the measurements beside other
//! proxies are `bench_gateway`'s, with real processes.
//!
//! `cargo run --release -p gateway-proxy --example bench_pair [seconds]`

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run says where")]

#[path = "../tests/all/authority.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod authority;
#[path = "../tests/all/pair.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod pair;
#[path = "../tests/all/relay.rs"]
#[expect(dead_code, reason = "the tests use it")]
mod relay;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pair::{Pair, accept};

#[global_allocator]
static ALLOCATOR: sys::alloc::WipingAllocator = sys::alloc::WipingAllocator;

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(2);
    let time = Duration::from_secs(seconds);
    bulk(time);
    requests(time);
    new_flows(time);
}

/// One stream from the device to the server.
fn bulk(time: Duration) {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    let reader = std::thread::spawn(move || {
        let mut place = vec![0; 256 * 1024];
        let mut total: u64 = 0;
        loop {
            match server.read(&mut place).unwrap() {
                0 => return total,
                count => total += count as u64,
            }
        }
    });
    let chunk = vec![7; 256 * 1024];
    let (start, cpu) = (now(), gateway_cpu());
    while start.elapsed() < time {
        device.write_all(&chunk).unwrap();
    }
    device.shutdown(Shutdown::Write).unwrap();
    let total = reader.join().unwrap() as f64;
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), gateway_cpu() - cpu);
    println!(
        "bulk: {:.2} Gbit/s, {:.2} CPU-s/GB in both halves",
        total * 8.0 / 1e9 / elapsed,
        cpu / (total / 1e9)
    );
}

/// 2 KiB and an answer of 200 bytes, one after the other.
fn requests(time: Duration) {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    let echo = std::thread::spawn(move || {
        let mut request = [0; 2048];
        while server.read_exact(&mut request).is_ok() {
            server.write_all(&request[..200]).unwrap();
        }
    });
    let (request, mut answer) = ([1; 2048], [0; 200]);
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    let start = now();
    while start.elapsed() < time {
        let sent = now();
        device.write_all(&request).unwrap();
        device.read_exact(&mut answer).unwrap();
        histogram.record(sent.elapsed().as_nanos() as u64).unwrap();
    }
    let rate = histogram.len() as f64 / start.elapsed().as_secs_f64();
    let us = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    println!(
        "requests: {rate:.0}/s, p50 {:.0} µs, p99 {:.0} µs",
        us(0.5),
        us(0.99)
    );
    drop(device);
    echo.join().unwrap();
}

/// Connect, one byte, the answer, a clean end; one flow after the other.
fn new_flows(time: Duration) {
    let pair = Pair::new();
    drop(exchange(&pair));
    let server = pair.server.try_clone().unwrap();
    server.set_nonblocking(false).unwrap();
    let echo = std::thread::spawn(move || serve(&server));
    let (start, cpu) = (now(), gateway_cpu());
    let mut flows = 0;
    while start.elapsed() < time {
        let mut device = pair.device();
        device.write_all(&[1]).unwrap();
        device.read_exact(&mut [0]).unwrap();
        device.shutdown(Shutdown::Write).unwrap();
        assert_eq!(device.read(&mut [0]).unwrap(), 0);
        flows += 1;
    }
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), gateway_cpu() - cpu);
    println!(
        "new flows: {:.0}/s, {:.0} µs CPU each in both halves",
        f64::from(flows) / elapsed,
        cpu * 1e6 / f64::from(flows)
    );
    // Ends the server's loop.
    let mut last = pair.device();
    last.write_all(&[0]).unwrap();
    echo.join().unwrap();
}

fn exchange(pair: &Pair) -> (TcpStream, TcpStream) {
    let device = pair.device();
    (device, accept(&pair.server))
}

fn serve(server: &TcpListener) {
    loop {
        let mut tcp = server.accept().unwrap().0;
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        if byte == [0] {
            return;
        }
        tcp.write_all(&byte).unwrap();
        assert_eq!(tcp.read(&mut byte).unwrap(), 0);
    }
}

fn now() -> Instant {
    sys::clock::monotonic()
}

/// CPU seconds of the gateways' threads, which the pair names `half`.
fn gateway_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let ticks: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .filter(|stat| stat.contains("(half)"))
        .map(|stat| {
            let fields: Vec<&str> = stat
                .rsplit(')')
                .next()
                .unwrap()
                .split_whitespace()
                .collect();
            // utime and stime: fields 14 and 15 of proc(5), counted from the state.
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        })
        .sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}
