//! A join token that decodes is encoded again as it was, but for the space around it.
#![no_main]

use envelope::token::JoinToken;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(token) = JoinToken::decode(text) {
        let again = token
            .encode()
            .unwrap_or_else(|_| panic!("a decoded token is within limits"));
        assert_eq!(again.as_str(), text.trim());
    }
});
