//! The commands of an operating guide: fenced blocks whose info string is `sh HOST [USER]`.

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it is typed.
    pub host: String,
    /// By whom; none for the user of the services.
    pub user: Option<String>,
    /// What is typed.
    pub script: String,
    /// The line it begins on.
    pub line: usize,
}

/// Finds the blocks that name a host, in order; others are for reading.
///
/// # Panics
/// When one has no end.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in document.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.script.push_str(line);
                block.script.push('\n');
            }
            (None, Some(info)) => {
                let mut words = info
                    .strip_prefix("sh ")
                    .into_iter()
                    .flat_map(str::split_whitespace);
                open = words.next().map(|host| Block {
                    host: host.to_owned(),
                    user: words.next().map(str::to_owned),
                    script: String::new(),
                    line: at + 1,
                });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blocks_that_name_a_host_are_run() {
        let text = "x\n```sh\nno\n```\n```sh kms-1\nyes \\\n  more\n```\n```sh kms-2 root\nas\n```\n```toml\n```\n";
        let found = blocks(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].user, None);
        assert_eq!(
            (found[1].host.as_str(), found[1].user.as_deref()),
            ("kms-2", Some("root"))
        );
        assert_eq!(found[0].host, "kms-1");
        assert_eq!(found[0].script, "yes \\\n  more\n");
        assert_eq!(found[0].line, 5);
    }
}
