//! `Moment`: a point in time as people write it.

use super::duration::{parse_decimal, parse_duration};
use crate::context::Clocks;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// A point in time, not yet placed in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nanoseconds after the start of the recording.
    Offset(u64),
    /// Nanoseconds after midnight, UTC, of the day on which the recording started (the next day when
    /// that lies before the start).
    TimeOfDay(u64),
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    Calendar(u64),
}

impl Moment {
    /// Reads `1.5s`, `14:03:05.25` (UTC) or `2026-11-20T14:03:05Z` (RFC 3339).
    pub fn parse(text: &str) -> Result<Moment, String> {
        if let Some((date, time)) = text.split_once(['T', 't', ' ']) {
            return calendar(date, time).map(Moment::Calendar).ok_or_else(|| {
                format!("`{text}` is no RFC 3339 time: write it like 2026-11-20T14:03:05Z")
            });
        }
        if text.contains(':') {
            return time_of_day(text)
                .map(Moment::TimeOfDay)
                .ok_or_else(|| format!("`{text}` is no clock time: write it like 14:03:05.25"));
        }
        parse_duration(text).map(Moment::Offset)
    }

    /// The monotonic time of it in a trace that started at `start` (monotonic ns).
    pub fn mono(self, start: u64, clocks: &Clocks) -> u64 {
        match self {
            Moment::Offset(ns) => start.saturating_add(ns),
            Moment::Calendar(ns) => clocks.mono(ns),
            Moment::TimeOfDay(ns) => {
                let began = clocks.realtime(start);
                let today = (began - began % DAY).saturating_add(ns);
                // To the second: 14:03:05 means that second even if the recording began within it.
                let first = began - began % SECOND;
                clocks.mono(if today < first { today.saturating_add(DAY) } else { today })
            }
        }
    }
}

/// HH:MM or HH:MM:SS, with a fraction.
fn time_of_day(text: &str) -> Option<u64> {
    let mut parts = text.splitn(3, ':');
    let hour = two_digits(parts.next()?, 23)?;
    let minute = two_digits(parts.next()?, 59)?;
    let second = match parts.next() {
        Some(text) => {
            let (whole, _) = text.split_once('.').unwrap_or((text, ""));
            two_digits(whole, 60)?;
            parse_decimal(text, SECOND)?
        }
        None => 0,
    };
    Some((hour * 3600 + minute * 60) * SECOND + second)
}

fn two_digits(text: &str, most: u64) -> Option<u64> {
    let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| plain && number <= most)
}

/// RFC 3339 date and time with its zone (Z when none is written).
fn calendar(date: &str, time: &str) -> Option<u64> {
    let mut parts = date.split('-');
    let year: i64 = parts.next().filter(|text| text.len() == 4)?.parse().ok()?;
    let month = two_digits(parts.next()?, 12).filter(|&month| month > 0)? as i64;
    let day = two_digits(parts.next()?, 31).filter(|&day| day > 0)? as i64;
    if parts.next().is_some() {
        return None;
    }
    let (clock, zone) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let zone: i64 = if zone.eq_ignore_ascii_case("z") {
        0
    } else {
        let (hours, minutes) = zone[1..].split_once(':')?;
        let seconds = (two_digits(hours, 23)? * 3600 + two_digits(minutes, 59)? * 60) as i64;
        if zone.starts_with('-') { -seconds } else { seconds }
    };
    let days = days_from_civil(year, month, day);
    let ns = i128::from(days) * i128::from(DAY) + i128::from(time_of_day(clock)?)
        - i128::from(zone) * i128::from(SECOND);
    u64::try_from(ns).ok()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible
/// low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A moment in nanoseconds since 1970 as RFC 3339 in UTC, to the millisecond.
pub fn format_calendar(realtime: u64) -> String {
    let days = (realtime / DAY) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let seconds = realtime % DAY / SECOND;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        realtime % SECOND / 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::{Moment, format_calendar};

    fn check(text: &str, expected: Option<Moment>) {
        assert_eq!(Moment::parse(text).ok(), expected, "{text}");
    }

    #[test]
    fn reads_moments() {
        check("1.5s", Some(Moment::Offset(1_500_000_000)));
        check("20ms", Some(Moment::Offset(20_000_000)));
        check("14:03:05.25", Some(Moment::TimeOfDay(50_585_250_000_000)));
        check("14:03", Some(Moment::TimeOfDay(50_580_000_000_000)));
        check("24:00:00", None);
        check("1:2:3", None);
        check("1970-01-01T00:00:01Z", Some(Moment::Calendar(1_000_000_000)));
        check("2026-11-20T14:03:05+02:00", Some(Moment::Calendar(1_795_176_185_000_000_000)));
        check("2026-11-20 12:03:05", Some(Moment::Calendar(1_795_176_185_000_000_000)));
        check("2026-13-20T14:03:05Z", None);
        check("1960-01-01T00:00:00Z", None);
        check("yesterday", None);
    }

    #[test]
    fn writes_calendar_times() {
        assert_eq!(format_calendar(1_795_176_185_999_999_999), "2026-11-20T12:03:05.999Z");
        assert_eq!(format_calendar(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_calendar(951_782_400_000_000_000), "2000-02-29T00:00:00.000Z");
    }
}
