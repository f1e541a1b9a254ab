//! What a refusal does not say: a secret that was typed in a wrong place would go on to terminals
//! and to the logs of whatever called the tool.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, CommandFactory};
use envelope::token::PREFIX;

use super::Cli;

/// Takes out of a refusal the words that hold a join token, and those beside `encrypt` and others
/// whose data comes on standard input and may have been written there instead.
pub(super) fn without_secrets(mut refusal: clap::Error, words: &[OsString]) -> clap::Error {
    let words: Vec<String> = words.iter().map(|it| it.display().to_string()).collect();
    let reads = |word: &str| READERS.contains(&word);
    let data = match verb(&words).filter(|word| Cli::command().find_subcommand(word).is_some()) {
        // Of a key, only what may be its material.
        Some("key") => words.iter().any(|word| word == "import"),
        Some(verb) => reads(verb),
        // Data may stand where the verb should, before one that reads it.
        None => words.iter().any(|word| reads(word)),
    };
    let is_data = |text: &str| data && !text.starts_with('-') && words.iter().any(|it| it == text);
    let told: Vec<(ContextKind, String)> = refusal
        .context()
        .filter(|(kind, _)| QUOTED.contains(kind))
        .map(|(kind, value)| (kind, value.to_string()))
        .collect();
    for (kind, text) in told {
        if text.contains(PREFIX) || is_data(&text) {
            refusal.insert(kind, ContextValue::String("…".to_owned()));
            // It would show how to write the same word so that it is taken.
            refusal.remove(ContextKind::Suggested);
        }
    }
    match refusal.to_string().contains(PREFIX) {
        true => Cli::command().error(refusal.kind(), "a join token stands in a wrong place"),
        false => refusal,
    }
}

/// The word in the verb's place: the first that is neither an option of the whole tool nor the
/// value of one.
fn verb(words: &[String]) -> Option<&str> {
    let command = Cli::command();
    let takes_next = |word: &str| {
        let known = |option: &&Arg| {
            let long = option
                .get_long()
                .is_some_and(|name| word == format!("--{name}"));
            let short = option
                .get_short()
                .is_some_and(|name| word == format!("-{name}"));
            long || short
        };
        let option = command.get_arguments().find(known);
        option.is_some_and(|option| option.get_action().takes_values())
    };
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if takes_next(word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word);
        }
    }
    None
}

/// The verbs that read data on standard input.
const READERS: [&str; 6] = ["encrypt", "decrypt", "sign", "verify", "mac", "verify-mac"];

/// Where clap keeps what was typed.
const QUOTED: [ContextKind; 3] = [
    ContextKind::InvalidArg,
    ContextKind::InvalidValue,
    ContextKind::InvalidSubcommand,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> String {
        let words = line.split_whitespace().map(OsString::from);
        Cli::read(words).unwrap_err().to_string()
    }

    #[test]
    fn a_secret_in_a_wrong_place_is_not_said() {
        for line in [
            "ward enroll wardj1.SECRET",
            "ward enroll --tokn wardj1.SECRET",
            "ward enroll --tokn=wardj1.SECRET",
            "ward enroll --role wardj1.SECRET",
            "ward enroll --endpoint wardj1.SECRET",
            "ward enroll --ca-sha256 wardj1.SECRET",
            "ward wardj1.SECRET",
            "ward encrypt --key k SECRET",
            "ward encrypt --key k --context SECRET",
            "ward encrypt --key k --context ward:dk=SECRET",
            "ward decrypt SECRET",
            "ward sign --key k SECRET",
            "ward mac --key k SECRET",
            "ward verify --key k SECRET",
            "ward --data-dir here verify --key k SECRET",
            "ward --output=json mac --key k SECRET",
            "ward SECRET encrypt --key k",
            "ward key import lab SECRET --from file",
        ] {
            let told = refusal(line);
            assert!(!told.contains("SECRET"), "{line}: {told}");
            assert!(told.starts_with("error: "), "{line}: {told}");
        }
    }

    #[test]
    fn what_is_no_secret_is_said() {
        assert!(refusal("ward key lst").contains("lst"));
        assert!(refusal("ward key list --output yaml").contains("yaml"));
        assert!(refusal("ward encrypt --key k --contxt a=b").contains("--contxt"));
        // These read nothing.
        assert!(refusal("ward audit verify strayword").contains("strayword"));
        assert!(refusal("ward key describe mac strayword").contains("strayword"));
        assert!(refusal("ward key import-wrapped id stray --from f").contains("stray"));
        assert!(refusal("ward --data-dir sign key lst").contains("lst"));
    }
}
