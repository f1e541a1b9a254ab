//! Other ways to write the path of a verb (CVE-2026-3605, CVE-2025-5999): a server that judges one
//! way and routes another gives away what it guards.

/// Paths that are not this verb's, and that a careless reader might take for it.
pub fn variants(path: &str) -> Vec<String> {
    let (service, method) = path[1..].split_once('/').expect("/service/method");
    [
        format!("//{service}/{method}"),
        format!("/{service}//{method}"),
        format!("/./{service}/{method}"),
        format!("/{service}/./{method}"),
        format!("/{service}/../{service}/{method}"),
        format!("/ward.v1.CryptoService/../{service}/{method}"),
        format!("/ward.v1.CryptoService/%2e%2e/{service}/{method}"),
        format!("/{service}%2f{method}"),
        format!("/{service}/{method}/"),
        format!("/{service}/{method}%00"),
        format!("/{service}/{method};v=1"),
        format!("/{service}/%{:02x}{}", method.as_bytes()[0], &method[1..]),
        path.to_lowercase(),
        path.to_uppercase(),
    ]
    .into()
}
