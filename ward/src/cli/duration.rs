//! Durations as they are typed and shown: a whole number and one unit.

use std::time::Duration;

/// Reads a whole number and one of `units`, from one second to `longest`.
pub(super) fn read(text: &str, units: &str, longest: Duration) -> Option<Duration> {
    let unit = text.chars().last().filter(|unit| units.contains(*unit))?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let (_, unit_s) = UNITS.iter().find(|(known, _)| *known == unit)?;
    let read = Duration::from_secs(number.checked_mul(*unit_s)?);
    (!read.is_zero() && read <= longest).then_some(read)
}

/// Writes a duration in the largest of `units` of which it is a whole number, or else in seconds.
pub(crate) fn written(duration: Duration, units: &str) -> String {
    let seconds = duration.as_secs();
    let fits = |unit_s: &u64| seconds >= *unit_s && seconds.is_multiple_of(*unit_s);
    let mut taken = UNITS.iter().filter(|(unit, _)| units.contains(*unit));
    match taken.find(|(_, unit_s)| fits(unit_s)) {
        Some((unit, unit_s)) => format!("{}{unit}", seconds / unit_s),
        None => format!("{seconds}s"),
    }
}

/// A year is 365 days.
const UNITS: [(char, u64); 5] = [
    ('y', 365 * 24 * 60 * 60),
    ('d', 24 * 60 * 60),
    ('h', 60 * 60),
    ('m', 60),
    ('s', 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_whole_number_and_one_unit_is_read_and_nothing_else() {
        for (text, seconds) in [("1s", 1), ("90m", 5_400), ("24h", 86_400), ("1d", 86_400)] {
            let read = read(text, "smhd", DAY);
            assert_eq!(read, Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "0s",
            "1",
            "-1s",
            "1.5h",
            "25h",
            "1y",
            "1é",
            "99999999999999999d",
        ] {
            assert_eq!(read(text, "smhd", DAY), None, "{text}");
        }
    }

    #[test]
    fn the_largest_unit_that_fits_is_written() {
        let written = |seconds| written(Duration::from_secs(seconds), "dhm");
        let all = [1, 60, 90, 5_400, 7_200, 86_400, 31_536_000].map(written);
        assert_eq!(all, ["1s", "1m", "90s", "90m", "2h", "1d", "365d"]);
    }
}
