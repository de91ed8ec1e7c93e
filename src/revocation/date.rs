//! The moment at which an entry ends, as people and programs write it.

use crate::calendar::{Day, numbers};
use crate::time::UnixTime;
use serde_json::Value;
use std::time::Duration;

/// Seconds from the epoch to the year 10000.
const END: u64 = 253_402_300_800;

/// Reads a NumericDate (RFC 7519, section 2) or a date and time in UTC (RFC 3339, section 5.6).
pub(super) fn parse(value: &Value) -> Option<UnixTime> {
    match value {
        Value::Number(number) => number
            .as_f64()
            .filter(|seconds| *seconds >= 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|span| span.as_secs() < END)
            .map(UnixTime::new),
        Value::String(text) => date_time(text),
        _ => None,
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.fraction]` and `Z` or `+00:00`. A leap second counts as the one after it.
pub(crate) fn date_time(text: &str) -> Option<UnixTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => (None, rest),
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, zone) = rest.split_at_checked(digits)?;
            (Some(digits), zone)
        }
    };
    // An empty fraction is none. What is cut off of a long one is less than a nanosecond.
    let nanos = match fraction {
        None => 0,
        Some("") => return None,
        Some(digits) => format!("{digits:0<9}").get(..9)?.parse().ok()?,
    };
    if !matches!(zone, "Z" | "z" | "+00:00" | "-00:00") {
        return None;
    }
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = Day::new(year, month, day)?
        .seconds()
        .checked_add(hour.checked_mul(3_600)?)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)?;
    // Nothing before 1970 is a moment that a token could meet.
    let seconds = u64::try_from(seconds).ok()?;
    Some(UnixTime::new(Duration::new(seconds, nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dates_are_read_as_the_calendar_has_them() {
        // The numbers are those of GNU date.
        for (written, millis) in [
            (json!("1970-01-01T00:00:00Z"), 0),
            (json!("2000-02-29T12:00:00Z"), 951_825_600_000),
            (json!("2027-01-15T08:00:00Z"), 1_800_000_000_000),
            (json!("2027-01-15t08:00:00.5z"), 1_800_000_000_500),
            (
                json!("2027-01-15 08:00:00.1234567891+00:00"),
                1_800_000_000_123,
            ),
            (json!("2100-03-01T00:00:00Z"), 4_107_542_400_000),
            (json!("2026-12-31T23:59:60Z"), 1_798_761_600_000),
            (json!("9999-12-31T23:59:59Z"), 253_402_300_799_000),
            (json!(1_800_000_000), 1_800_000_000_000),
            (json!(1_800_000_000.5), 1_800_000_000_500),
            (json!(0), 0),
        ] {
            let read = parse(&written).map(UnixTime::as_millis);
            assert_eq!(read, Some(millis), "{written}");
        }
    }

    #[test]
    fn what_could_mean_another_moment_is_no_date() {
        for written in [
            json!(""),
            json!("2027-01-15"),
            json!("2027-01-15T08:00:00"),
            json!("2027-01-15T08:00:00+01:00"),
            json!("2027-01-15T08:00Z"),
            json!("2027-1-15T08:00:00Z"),
            json!("2027-01-15T08:00:00.Z"),
            json!("2027-01-15T08:00:00Z "),
            json!("2027-02-29T00:00:00Z"),
            json!("2100-02-29T00:00:00Z"),
            json!("2027-13-01T00:00:00Z"),
            json!("2027-00-01T00:00:00Z"),
            json!("2027-01-00T00:00:00Z"),
            json!("2027-01-32T00:00:00Z"),
            json!("2027-01-15T24:00:00Z"),
            json!("2027-01-15T08:60:00Z"),
            json!("1969-12-31T23:59:59Z"),
            json!("+027-01-15T08:00:00Z"),
            json!("２027-01-15T08:00:00Z"),
            json!("1800000000"),
            json!(-1),
            json!(1e300),
            json!(253_402_300_800_u64),
            json!(true),
            json!(null),
        ] {
            assert_eq!(parse(&written), None, "{written}");
        }
    }
}
