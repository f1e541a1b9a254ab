//! Compiles the .proto files with protox, so that building needs no protoc.

use std::error::Error;
use std::path::PathBuf;

use protox::prost_reflect::prost::Message;
use protox::prost_reflect::prost_types::FileDescriptorSet;

const FILES: &[&str] = &[
    "ward/v1/types.proto",
    "ward/v1/keys.proto",
    "ward/v1/crypto.proto",
    "ward/v1/batch.proto",
    "ward/v1/devices.proto",
    "ward/v1/certificates.proto",
    "ward/v1/join.proto",
    "ward/v1/cluster.proto",
    "ward/v1/watch.proto",
    "ward/v1/gateways.proto",
    "ward/v1/rewraps.proto",
    "ward/v1/audit.proto",
    "ward/admin/v1/keys.proto",
    "ward/admin/v1/devices.proto",
    "ward/admin/v1/tokens.proto",
    "ward/admin/v1/gateways.proto",
    "ward/admin/v1/cluster.proto",
    "ward/admin/v1/policies.proto",
    "ward/admin/v1/quotas.proto",
    "ward/admin/v1/approvals.proto",
    "ward/admin/v1/rewraps.proto",
    "ward/peer/v1/peer.proto",
];

#[expect(
    clippy::disallowed_methods,
    reason = "the variable alone tells a build script where to write"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let root = PathBuf::from("proto");
    let descriptors = protox::compile(FILES, [&root])?;
    let listed = PathBuf::from(std::env::var("OUT_DIR")?).join("rpcs.rs");
    std::fs::write(listed, rpcs(&descriptors))?;
    let described = PathBuf::from(std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(described, descriptors.encode_to_vec())?;
    // `bytes` fields become `Bytes`: no copy on the way in.
    tonic_prost_build::configure()
        .bytes(".")
        // Secrets pass through these messages; a derived Debug would print them.
        .skip_debug(["."])
        .compile_fds(descriptors)?;
    Ok(())
}

/// The paths of all RPCs, as a Rust expression.
fn rpcs(descriptors: &FileDescriptorSet) -> String {
    let mut paths = String::from("&[\n");
    for file in &descriptors.file {
        for service in &file.service {
            for method in &service.method {
                let (package, service) = (file.package(), service.name());
                paths += &format!("    \"/{package}.{service}/{}\",\n", method.name());
            }
        }
    }
    paths + "]\n"
}
