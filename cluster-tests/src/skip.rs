//! What cannot run here: skipped on somebody's desk, a failure where the result counts.

/// Says that `what` is not tested.
///
/// # Panics
/// In CI.
#[expect(
    clippy::disallowed_methods,
    reason = "CI is how every CI service says that it is one"
)]
pub fn skip(what: &str) {
    let counts = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!counts, "cannot run here: {what}");
    sys::talk::say(format_args!("skipped: {what}"));
}
