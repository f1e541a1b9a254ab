//! A prologue that parses is written again as it was, and no bytes that nobody sealed open.
#![no_main]

use envelope::{
    object::{self, Prologue},
    secret::SecretKey,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((prologue, used))) = Prologue::parse(bytes) {
        assert_eq!(prologue.encode(), &bytes[..used]);
    }
    assert!(object::open(&SecretKey::generate(), bytes).is_err());
});
