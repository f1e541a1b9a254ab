//! How answers look to people: tables without lines, times in UTC.

use comfy_table::presets::NOTHING;

/// A table with a heading; columns stand as wide as they need to.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// Begins a table.
    pub(crate) fn new(heading: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_preset(NOTHING).set_header(heading);
        Self(table)
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells);
    }

    /// The table, a line a row, without blanks at the ends.
    pub(crate) fn text(mut self) -> String {
        for column in self.0.column_iter_mut() {
            column.set_padding((0, BLANKS_BETWEEN));
        }
        self.0
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect()
    }
}

const BLANKS_BETWEEN: u16 = 2;

/// Milliseconds since 1970-01-01 UTC as RFC 3339, to the millisecond.
pub(crate) fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => format!("{time:.3}"),
        Err(_beyond_year_9999) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_795_000_000_123), "2026-11-18T11:06:40.123Z");
        assert_eq!(time(u64::MAX), "unknown");
    }

    #[test]
    fn tables_have_no_trailing_blanks() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["long value".into(), "1".into()]);
        for line in table.text().lines() {
            assert_eq!(line, line.trim_end());
        }
    }
}
