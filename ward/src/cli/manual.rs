//! `ward completions` and `ward man`: what shells and readers of manuals take from this definition.

use std::path::PathBuf;

use clap::Args;

/// For which shell.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArguments {
    /// The shell; for bash: ward completions bash > /etc/bash_completion.d/ward
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Where to.
#[derive(Args, Debug)]
pub(crate) struct ManArguments {
    /// The folder of the pages, made where it is missing, such as /usr/local/share/man/man1.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}
