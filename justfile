# The recipes of this repository. `check` never writes, `fix` does; CI runs the same commands.

# List the recipes.
default:
    @just --list

# Find what is wrong without running the tests; writes nothing but build output.
check:
    .ci/check

# Format, and let clippy mend what it can.
fix:
    cargo fmt --all
    cargo fmt --manifest-path envelope/fuzz/Cargo.toml
    cargo fmt --manifest-path gateway-proxy/fuzz/Cargo.toml
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

# All tests; what CI runs last.
test:
    cargo test --workspace

# Licences, bans, sources and advisories of all dependencies (needs cargo-deny and the network).
deny:
    cargo deny check

# The API documentation, as strict as in CI.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps

# The whole CI, on a machine of its own: it installs packages.
ci:
    .ci/run

# Median, 95th percentile and largest of files and functions.
sizes:
    cargo test -q -p tidy --test tidy most_files -- --nocapture

# The frozen vectors in a second implementation (needs python3-cryptography).
vectors:
    python3 envelope/python/check_vectors.py

# The suites of Project Wycheproof, with their counts.
wycheproof:
    cargo test -q -p envelope -p kms-server --lib wycheproof -- --nocapture

# Sealing and opening speed against ring's own.
bench-envelope:
    cargo bench -p envelope --bench seal

# What archiving costs: record on a data thread, seal and append on the archive's.
bench-archive:
    cargo bench -p gateway-proxy --bench archive

# Fuzz every format and parser for so many seconds each, on the stable compiler (needs g++).
fuzz seconds="60":
    .ci/fuzz {{ seconds }}

# Fuzz one, a target of envelope/fuzz or, with crate=gateway-proxy, of gateway-proxy/fuzz, with the
# address sanitizer (needs nightly and cargo-fuzz).
fuzz-one target seconds="60" crate="envelope":
    cd {{ crate }} && cargo +nightly fuzz run {{ target }} -- -max_total_time={{ seconds }}

# Ward beside stunnel, haproxy, nginx and no encryption, under the same load. Peers from Debian:
# stunnel4, haproxy, nginx-light, libnginx-mod-stream; who is not installed is named and left out.
bench-gateway rounds="3":
    # Apart: together the tool would have the points at which tests end it.
    cargo build --release -p cluster-tests --bins
    cargo build --release -p ward
    target/release/bench_gateway --rounds {{ rounds }}

# Three KMS nodes beside a bare gRPC echo over mutual TLS and three nodes of etcd (Debian's
# etcd-server; left out by name where it is not installed): rates, latencies, CPU, ratios.
bench-kms *args:
    # Apart: together the tool would have the points at which tests end it.
    cargo build --release -p cluster-tests --bins
    cargo build --release -p ward
    target/release/bench_kms {{ args }}

# Plant one bug after the other and see who finds it (root; hours for all with many seeds).
planted *args:
    cluster-tests/planted/run {{ args }}

# A scenario of the whole stack at any size: hl7, dicom, wire, canaries, keys, stranger, kills,
# disabled, contain, endings, histories, failover.
show scenario *args:
    # Apart: together the tool would have the points at which tests end it.
    cargo build --release -p cluster-tests --bins
    cargo build --release -p ward
    target/release/show {{ scenario }} {{ args }}
