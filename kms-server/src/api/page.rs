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

/// What a scan kept, and the last name that it looked at where there were more.
pub(crate) struct Scanned<T> {
    kept: Vec<T>,
    goes_on: String,
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

    /// As [`take`](Self::take), of entries of which perhaps few are kept: looks at `looks_max` at
    /// most. The index is not held for as long as it takes to find a thousand among all.
    pub(crate) fn scan<'a, E, T>(
        &self,
        entries: impl Iterator<Item = (&'a str, E)>,
        looks_max: usize,
        keep: impl Fn(E) -> Option<T>,
    ) -> Scanned<T> {
        let (mut kept, mut last) = (Vec::new(), "");
        for (looked_at, (name, entry)) in entries.enumerate() {
            if looked_at == looks_max {
                return Scanned {
                    kept,
                    goes_on: last.to_owned(),
                };
            }
            last = name;
            kept.extend(keep(entry));
            if kept.len() > self.size {
                break;
            }
        }
        Scanned {
            kept,
            goes_on: String::new(),
        }
    }

    /// As [`finish`](Self::finish), of what [`scan`](Self::scan) kept: such a page may be short, or
    /// empty, and not the last.
    pub(crate) fn finish_scan<T: Message>(
        &self,
        scanned: Scanned<T>,
        name: impl Fn(&T) -> &String,
    ) -> (Vec<T>, String) {
        let (entries, next) = self.finish(scanned.kept, name);
        match next.is_empty() {
            true => (entries, scanned.goes_on),
            false => (entries, next),
        }
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

    /// The pages of the even ones of these, of two entries each, looking at so many for each.
    fn even(all: &[&str], looks_max: usize) -> Vec<Vec<String>> {
        let (mut pages, mut from) = (Vec::new(), String::new());
        loop {
            let page = Page::new(2, from);
            let rest = all.iter().filter(|name| **name > page.after());
            let scanned = page.scan(rest.map(|name| (*name, *name)), looks_max, |name| {
                let number: u32 = name.parse().unwrap();
                (number % 2 == 0).then(|| name.to_owned())
            });
            let (kept, next) = page.finish_scan(scanned, |name| name);
            pages.push(kept);
            if next.is_empty() {
                return pages;
            }
            from = next;
        }
    }

    #[test]
    fn a_scan_looks_at_so_many_and_the_pages_have_all_that_is_kept() {
        let check = |all: &[&str], looks_max, expected: &[&[&str]]| {
            assert_eq!(even(all, looks_max), expected, "{all:?} {looks_max}");
        };
        check(&["1", "2", "3", "4", "5"], 2, &[&["2"], &["4"], &[]]);
        check(&["1", "2", "3", "4", "5"], 3, &[&["2"], &["4"]]);
        // None is kept, and the list ends all the same; not with one page too many.
        check(&["1", "3", "5", "7"], 2, &[&[], &[]]);
        check(&["1", "3", "5", "7"], 3, &[&[], &[]]);
        // The page is full before so many were looked at.
        check(&["2", "4", "6", "8"], 3, &[&["2", "4"], &["6", "8"]]);
        check(&["2", "4", "6", "8"], 2, &[&["2", "4"], &["6", "8"]]);
        check(&[], 2, &[&[]]);
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
