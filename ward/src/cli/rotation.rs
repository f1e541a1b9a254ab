//! `ward key set-rotation`, and periods where keys are made.

use std::time::Duration;

use clap::{ArgGroup, Args};

use super::duration;

/// How often which key is rotated.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("how").args(["every", "never"]).required(true))]
pub(crate) struct RotationArguments {
    /// The key's name, or an alias; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Rotate it so often: 12h, 90d, 2y; one hour to ten years.
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) every: Option<Duration>,
    /// Rotate it by hand alone.
    #[arg(long)]
    pub(crate) never: bool,
}

/// Reads a period: a number of hours, days, or years of 365 days.
pub(crate) fn period(text: &str) -> Result<Duration, &'static str> {
    duration::read(text, "hdy", LONGEST)
        .ok_or("write a number and h, d or y, such as 90d; from 1h to 10y")
}

/// Writes a period as it is typed.
pub(crate) fn typed(period: Duration) -> String {
    duration::written(period, "dh")
}

/// What the cluster takes at most.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

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
            ("10y", 10 * 365 * 24, "3650d"),
        ] {
            let read = period(text).unwrap();
            assert_eq!(read.as_secs(), hours * 3_600, "{text}");
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
