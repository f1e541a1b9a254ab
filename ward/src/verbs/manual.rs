//! `ward completions` and `ward man`: both are made from the definition that `--help` shows.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, CompletionsArguments, ManArguments};
use crate::error::{Failure, Reason};
use crate::output::{line, say};

/// Writes a shell's completion script to standard output.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<(), Failure> {
    line(script(arguments.shell)?.trim_end())
}

fn script(shell: Shell) -> Result<String, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ward", &mut script);
    String::from_utf8(script)
        .map_err(|_| Failure::new(Reason::INTERNAL, "the completion script is not text"))
}

/// Writes a page for the tool and each verb.
pub(super) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    let out = &arguments.out;
    // Manuals are for everyone.
    sys::file::create_dirs(out, 0o755)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), out))
        .map_err(|error| Failure::io(format!("cannot write pages to {}", out.display()), &error))?;
    let page = out.join("ward.1");
    say(format_args!("Try: man {}", page.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_verb() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("man1");
        man(&ManArguments { out: out.clone() }).unwrap();
        for page in [
            "ward.1",
            "ward-up.1",
            "ward-device-contain.1",
            "ward-policy-put.1",
        ] {
            let text = std::fs::read_to_string(out.join(page)).unwrap();
            assert!(text.contains("ward"), "{page}");
        }
    }

    #[test]
    fn every_shell_has_a_script() {
        use clap::ValueEnum;

        for shell in Shell::value_variants() {
            assert!(script(*shell).unwrap().contains("contain"), "{shell}");
        }
    }
}
