//! Every limit of the gateway, in one place, with the relations between them checked when it is
//! compiled.

use std::time::Duration;

/// Longest device, service or gateway name.
pub const NAME_BYTES_MAX: usize = 128;

/// Largest configuration file that is read.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Most routes of an edge, and most services of a core.
pub const ROUTES_MAX: usize = 10_000;

/// Plaintext of one full TLS record (RFC 8446 §5.1).
pub const RECORD_PLAINTEXT_BYTES: usize = 16_384;

/// Header of every tunnel frame.
pub const FRAME_HEADER_BYTES: usize = 8;

/// Payload of one DATA frame: header and payload together fill one record.
pub const DATA_BYTES_MAX: usize = RECORD_PLAINTEXT_BYTES - FRAME_HEADER_BYTES;

/// Largest body of a frame other than DATA.
pub const CONTROL_BODY_BYTES_MAX: usize = 1024;

/// Ciphertext read from a tunnel at once: the buffer under rustls.
pub const TUNNEL_READ_BYTES: usize = 64 * 1024;

/// The sizes a pump's reads grow through while its peer keeps filling them.
pub const QUANTUM_BYTES: [usize; 4] = [4 * 1024, 16 * 1024, 64 * 1024, 256 * 1024];

/// Emptied buffers a data thread keeps for its next flow.
pub const SPARE_BUFFERS_MAX: usize = 8;

/// Largest buffer that is kept; larger ones are freed.
pub const SPARE_BUFFER_BYTES_MAX: usize = 512 * 1024;

/// Reads and writes a flow may do before the others of its thread have their turn.
pub const TURN_STEPS_MAX: usize = 8;

/// Idle tunnels kept for one device.
pub const IDLE_TUNNELS_PER_DEVICE_MAX: usize = 64;

/// How long an idle tunnel is kept. Only the edge closes idle tunnels.
pub const IDLE_TUNNEL_AGE_MAX: Duration = Duration::from_secs(60);

/// How often idle tunnels are looked through.
pub const POOL_SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Shortest time between two PINGs to one core, and between two on one tunnel that is on offer.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Time a core may take to answer a PING.
pub const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// A device that opened a flow within this time keeps one tunnel warm.
pub const WARM_SPARE_AGE_MAX: Duration = Duration::from_secs(600);

/// Devices that a gateway keeps the orders of; those beyond are not served.
pub const DEVICES_MAX: usize = 100_000;

/// Largest file of kept orders that is read.
pub const CONTAINMENT_FILE_BYTES_MAX: u64 = 64 << 20;

/// How often a lease is asked for. Before one of 10 s ends there is time to wait for a node that
/// does not answer and to ask the next.
pub const LEASE_INTERVAL: Duration = Duration::from_secs(3);

/// How often flows are looked for whose device's time has run out. Nothing is forwarded of them
/// meanwhile.
pub const LEASE_SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// How often the lease is kept for a restart. What it is shorter by is taken off the offline
/// allowance of a gateway that starts while the KMS is away.
pub const LEASE_KEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Acknowledgements on their way at a time.
pub const ACKNOWLEDGEMENTS_MAX: usize = 16;

/// Flows of one process.
pub const FLOWS_MAX: usize = 50_000;

/// Flows of one device at a time.
pub const FLOWS_PER_DEVICE_MAX: usize = 4_096;

/// Tunnel connections a core accepts.
pub const TUNNELS_MAX: usize = 100_000;

/// Tunnel handshakes a core works on at a time, per data thread.
pub const HANDSHAKES_MAX: usize = 512;

/// Time a tunnel handshake may take, connecting included.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time a core may take to connect to a service.
pub const UPSTREAM_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time an edge may take to connect to a device, or to refuse.
pub const DEVICE_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time an edge waits for the answer to OPEN.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// Peers that are being told, in their protocol's own words, that their connection is not carried.
pub const REFUSALS_MAX: usize = 256;

/// Time that may take, with what the device still has to send for it.
pub const REFUSAL_PATIENCE: Duration = Duration::from_secs(10);

/// Idle tunnels that an edge keeps on offer for flows towards one device's server.
pub const OFFERS_IDLE_MAX: usize = 2;

/// Idle tunnels that it keeps on offer beyond those, after their flows.
pub const OFFERS_KEPT_MAX: usize = 8;

/// Tunnels on offer that a core keeps for one reverse route.
pub const OFFERS_PER_ROUTE_MAX: usize = 64;

/// How long a server's connection waits for a tunnel on offer, and for its edge's answer where
/// there was one early.
pub const OFFER_PATIENCE: Duration = Duration::from_secs(10);

/// The least time that an edge has for its answer, however long the server waited for a tunnel:
/// longer than connecting to the device may take, so that the edge can say what the matter is.
pub const OFFER_ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// The longest time between an edge's offers to a core that does not want them or is away; it
/// doubles up to there, from [`OFFER_RETRY_INTERVAL`].
pub const OFFER_RETRY_MAX: Duration = Duration::from_secs(60);

/// How long an edge waits before it offers anew what has failed.
pub const OFFER_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A tunnel on offer whose edge has said nothing for so long is dead: an edge that is answered asks
/// every [`PING_INTERVAL`].
pub const OFFER_SILENCE_MAX: Duration = Duration::from_secs(20);

/// First keepalive probe after this much silence; below the 60 s of common firewalls.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Time between keepalive probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unanswered probes before a connection is dead.
pub const KEEPALIVE_PROBES: u32 = 3;

/// How long a peer that owes an acknowledgement may say nothing before it is dead. Above the 120 s
/// that the kernel may leave between two probes of a peer whose reader stalls.
pub const PEER_SILENCE_MAX: Duration = Duration::from_secs(150);

/// How often a flow that has moved bytes looks whether its peers have taken them.
pub const SILENCE_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// How long a gateway that shuts down waits for its flows to end by themselves.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often certificates are looked at, to renew them or to take up renewed ones. A clock that is
/// set right may end all of them at once, and devices wait then.
pub const CERTIFICATE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time between tries to renew devices' certificates; it doubles up to there.
pub const CERTIFICATE_RETRY_MAX: Duration = Duration::from_secs(60);

/// Device certificates asked for at a time.
pub const ENROLMENTS_MAX: usize = 16;

/// Time between tries while the KMS cannot be reached.
pub const KMS_RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Connections waiting to be accepted, per listener.
pub const LISTEN_BACKLOG: i32 = 4_096;

/// Connections of the metrics and health port.
pub const OPS_CONNECTIONS_MAX: usize = 32;

const _: () = assert!(FRAME_HEADER_BYTES + DATA_BYTES_MAX == RECORD_PLAINTEXT_BYTES);
const _: () = assert!(CONTROL_BODY_BYTES_MAX <= DATA_BYTES_MAX);
const _: () = assert!(TUNNEL_READ_BYTES > 2 * RECORD_PLAINTEXT_BYTES);
const _: () = assert!(UPSTREAM_CONNECT_TIMEOUT.as_secs() < OPEN_TIMEOUT.as_secs());
const _: () = assert!(DEVICE_CONNECT_TIMEOUT.as_secs() < OFFER_ANSWER_TIMEOUT.as_secs());
const _: () = assert!(OFFER_ANSWER_TIMEOUT.as_secs() < OFFER_PATIENCE.as_secs());
const _: () = assert!(PING_INTERVAL.as_secs() >= POOL_SWEEP_INTERVAL.as_secs());
const _: () = assert!(OFFER_SILENCE_MAX.as_secs() > 2 * PING_INTERVAL.as_secs());
const _: () = assert!(OFFERS_IDLE_MAX + OFFERS_KEPT_MAX < OFFERS_PER_ROUTE_MAX);
const _: () = assert!(IDLE_TUNNEL_AGE_MAX.as_secs() < WARM_SPARE_AGE_MAX.as_secs());
