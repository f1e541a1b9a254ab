//! `ward key set-rotation`, and periods where keys are made.

use std::time::Duration;

use clap::Args;

/// How often which key is rotated.
#[derive(Args, Debug)]
pub(crate) struct RotationArguments {
    /// The key's name, or an alias; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Rotate it so often: 12h, 90d, 2y; one hour to ten years.
    #[arg(long, value_name = "TIME", value_parser = period, required_unless_present = "never",
          conflicts_with = "never")]
    pub(crate) every: Option<Duration>,
    /// Rotate it by hand alone.
    #[arg(long)]
    pub(crate) never: bool,
}

/// Reads a period: a number of hours, days, or years of 365 days.
pub(crate) fn period(text: &str) -> Result<Duration, String> {
    let wanted = || "write a number and h, d or y, such as 90d; from 1h to 10y".to_owned();
    let hours = match text.chars().last() {
        Some('h') => 1,
        Some('d') => 24,
        Some('y') => 365 * 24,
        Some(_) | None => return Err(wanted()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wanted())?;
    match number.checked_mul(hours) {
        Some(hours @ 1..=HOURS_MAX) => Ok(Duration::from_secs(hours * HOUR_S)),
        Some(_) | None => Err(wanted()),
    }
}

/// Writes a period as it is typed.
pub(crate) fn typed(period: Duration) -> String {
    match period.as_secs() {
        days if days % (24 * HOUR_S) == 0 => format!("{}d", days / (24 * HOUR_S)),
        hours if hours % HOUR_S == 0 => format!("{}h", hours / HOUR_S),
        seconds => format!("{seconds}s"),
    }
}

const HOUR_S: u64 = 60 * 60;
/// What the cluster takes at most.
const HOURS_MAX: u64 = 10 * 365 * 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_hours_days_and_years() {
        for (text, hours, shown) in [
            ("1h", 1, "1h"),
            ("36h", 36, "36h"),
            ("48h", 48, "2d"),
            ("90d", 90 * 24, "90d"),
            ("1y", 365 * 24, "365d"),
            ("10y", HOURS_MAX, "3650d"),
        ] {
            let read = period(text).unwrap();
            assert_eq!(read.as_secs(), hours * HOUR_S, "{text}");
            assert_eq!(typed(read), shown);
        }
        assert_eq!(typed(Duration::from_secs(5_400)), "5400s");
        for text in [
            "",
            "h",
            "0h",
            "59m",
            "90",
            "-1d",
            "11y",
            "3651d",
            "1.5d",
            "9999999999999999d",
            "1ü",
        ] {
            assert!(period(text).is_err(), "{text}");
        }
    }
}
