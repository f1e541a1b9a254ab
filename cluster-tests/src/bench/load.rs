//! The load: bulk, request and answer on kept connections, new flows, idle flows.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a request, and of its answer.
pub const MESSAGE_BYTES: usize = 256;

const BULK_CHUNK: usize = 256 << 10;

/// A server that answers each [`MESSAGE_BYTES`] with as many.
///
/// # Errors
/// When no port is free.
pub async fn echo_server() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    sys::task::spawn("echo server", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            sys::task::spawn("echo flow", async move {
                let mut message = [0; MESSAGE_BYTES];
                let nodelay = stream.set_nodelay(true);
                while nodelay.is_ok() && stream.read_exact(&mut message).await.is_ok() {
                    if stream.write_all(&message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

/// A server that reads everything and keeps nothing; one thread a connection.
///
/// # Errors
/// When no port is free.
pub fn sink_server() -> io::Result<(SocketAddr, Arc<AtomicU64>)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let bytes = Arc::new(AtomicU64::new(0));
    let count = bytes.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let count = count.clone();
            thread::spawn(move || {
                let mut buffer = vec![0; BULK_CHUNK];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    count.fetch_add(read as u64, Ordering::Relaxed);
                }
            });
        }
    });
    Ok((address, bytes))
}

/// Sends one stream for `length`; returns the bytes that arrived at `sink` in it.
///
/// # Errors
/// When the flow is cut.
pub fn bulk(address: SocketAddr, sink: &AtomicU64, length: Duration) -> io::Result<u64> {
    let mut stream = std::net::TcpStream::connect(address)?;
    let chunk = vec![0x5a; BULK_CHUNK];
    let before = sink.load(Ordering::Relaxed);
    let end = sys::clock::monotonic() + length;
    while sys::clock::monotonic() < end {
        stream.write_all(&chunk)?;
    }
    Ok(sink.load(Ordering::Relaxed) - before)
}

/// One request after the other on `connections` kept connections for `length`; latencies in ns.
///
/// # Errors
/// When a flow is cut.
///
/// # Panics
/// When a worker panicked.
pub async fn requests(
    address: SocketAddr,
    connections: usize,
    length: Duration,
) -> io::Result<Histogram<u64>> {
    let workers = (0..connections).map(|_| {
        sys::task::spawn("requests", async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut latencies = histogram();
            exchange(&mut stream).await?;
            let end = sys::clock::monotonic() + length;
            while sys::clock::monotonic() < end {
                let begun = sys::clock::monotonic();
                exchange(&mut stream).await?;
                latencies.saturating_record(begun.elapsed().as_nanos() as u64);
            }
            io::Result::Ok(latencies)
        })
    });
    let mut all = histogram();
    for worker in workers.collect::<Vec<_>>() {
        all.add(worker.await.expect("a worker does not panic")?)
            .expect("the same bounds");
    }
    Ok(all)
}

/// New flows for `length` by `workers`: connect, one request, one answer, close. Returns how many
/// succeeded and how many were cut.
///
/// # Panics
/// When a worker panicked.
pub async fn new_flows(address: SocketAddr, workers: usize, length: Duration) -> (u64, u64) {
    let workers = (0..workers).map(|_| {
        sys::task::spawn("new flows", async move {
            let (mut done, mut cut) = (0, 0);
            let end = sys::clock::monotonic() + length;
            while sys::clock::monotonic() < end {
                match whole_flow(address).await {
                    Ok(()) => done += 1,
                    Err(_) => cut += 1,
                }
            }
            (done, cut)
        })
    });
    let mut all = (0, 0);
    for worker in workers.collect::<Vec<_>>() {
        let (done, cut) = worker.await.expect("a worker does not panic");
        all = (all.0 + done, all.1 + cut);
    }
    all
}

async fn whole_flow(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    exchange(&mut stream).await?;
    stream.shutdown().await?;
    // Wait for the other side's end, so that both directions ended cleanly.
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// Opens `count` flows, one request each, and keeps them.
///
/// # Errors
/// When a flow is cut.
pub async fn idle(address: SocketAddr, count: usize) -> io::Result<Vec<TcpStream>> {
    let mut flows = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await?;
        exchange(&mut stream).await?;
        flows.push(stream);
    }
    Ok(flows)
}

async fn exchange(stream: &mut TcpStream) -> io::Result<()> {
    let mut message = [0x5a; MESSAGE_BYTES];
    stream.write_all(&message).await?;
    stream.read_exact(&mut message).await?;
    Ok(())
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("valid bounds")
}
