//! Pages of a list: bounded, and continued behind the last name given.
//!
//! The token is that name. It says nothing that the page did not say, and stays good when
//! entries come and go.

use prost::Message;

use crate::limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};

/// One page that was asked for.
pub(crate) struct Page {
    size: usize,
    after: String,
}

impl Page {
    /// `size` 0 means the largest, as larger ones do.
    pub(crate) fn new(size: u32, token: String) -> Self {
        let size = match size as usize {
            0 => PAGE_ENTRIES_MAX,
            asked => asked.min(PAGE_ENTRIES_MAX),
        };
        Self { size, after: token }
    }

    /// The name after which the page begins.
    pub(crate) fn after(&self) -> &str {
        &self.after
    }

    /// Takes the page, and one entry more to know whether there is another.
    pub(crate) fn take<T>(&self, entries: impl Iterator<Item = T>) -> Vec<T> {
        entries.take(self.size + 1).collect()
    }

    /// Cuts what [`take`](Self::take) took to the page, and to what an answer has room for, and
    /// names where the next one begins.
    pub(crate) fn finish<T: Message>(
        &self,
        mut entries: Vec<T>,
        name: impl Fn(&T) -> &String,
    ) -> (Vec<T>, String) {
        let fit = fitting(&entries).min(self.size);
        if entries.len() <= fit {
            return (entries, String::new());
        }
        entries.truncate(fit);
        let next = entries
            .last()
            .map(|last| name(last).clone())
            .unwrap_or_default();
        (entries, next)
    }
}

/// How many of the entries have room together; one at least, or a list would not go on behind it.
fn fitting(entries: &[impl Message]) -> usize {
    let mut bytes = 0_usize;
    let fits = |entry: &&_| {
        bytes += Message::encoded_len(*entry);
        bytes <= PAGE_BYTES_MAX
    };
    entries.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(from: &str, all: &[&str], size: u32) -> (Vec<String>, String) {
        let page = Page::new(size, from.to_owned());
        let rest = all
            .iter()
            .filter(|name| **name > page.after())
            .map(ToString::to_string);
        let taken = page.take(rest);
        page.finish(taken, |name| name)
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let all = ["a", "b", "c", "d"];
        assert_eq!(
            names("", &all, 2),
            (vec!["a".into(), "b".into()], "b".into())
        );
        assert_eq!(
            names("b", &all, 2),
            (vec!["c".into(), "d".into()], String::new())
        );
    }

    #[test]
    fn a_page_of_long_entries_has_fewer() {
        let long = |letter: &str| letter.repeat(PAGE_BYTES_MAX / 2 - 100);
        let all = [
            long("a"),
            long("b"),
            long("c"),
            "d".repeat(2 * PAGE_BYTES_MAX),
        ];
        let all = all.each_ref().map(String::as_str);
        let mut from = String::new();
        for expected in [&all[..2], &all[2..3], &all[3..]] {
            let (page, next) = names(&from, &all, 0);
            assert_eq!(page, expected);
            from = next;
        }
        assert_eq!(from, "", "the list ends");
    }

    #[test]
    fn the_size_is_bounded_whatever_is_asked_for() {
        assert_eq!(Page::new(0, String::new()).size, PAGE_ENTRIES_MAX);
        assert_eq!(Page::new(u32::MAX, String::new()).size, PAGE_ENTRIES_MAX);
    }
}
