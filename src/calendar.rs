//! Days of the Gregorian calendar.

use std::fmt;

/// Seconds of a day: Unix time knows no leap seconds.
const SECONDS_OF_DAY: i64 = 86_400;

/// Days from 0001-01-01 to 1970-01-01.
const BEFORE_EPOCH: i64 = 719_162;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Weekday {
    /// All, in order.
    pub(crate) const WEEK: [Self; 7] = [
        Self::Mon,
        Self::Tue,
        Self::Wed,
        Self::Thu,
        Self::Fri,
        Self::Sat,
        Self::Sun,
    ];

    /// As policies write it: `fri`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

/// A day, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(i64);

impl Day {
    /// The day of this name, of the years 1 to 9999; nothing if the calendar has no such day.
    pub(crate) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let lengths = month_lengths(year);
        let before = usize::try_from(month).ok()?.checked_sub(1)?;
        let length = *lengths.get(before)?;
        if !(1..=9_999).contains(&year) || !(1..=length).contains(&day) {
            return None;
        }
        let day_of_year = lengths
            .iter()
            .take(before)
            .fold(day.saturating_sub(1), |days, length| {
                days.saturating_add(*length)
            });
        Some(Self::new_year(year).plus(day_of_year))
    }

    /// 1 January of a year.
    pub(crate) fn new_year(year: i64) -> Self {
        let past = year.saturating_sub(1);
        Self(
            past.saturating_mul(365)
                .saturating_add(past.div_euclid(4))
                .saturating_sub(past.div_euclid(100))
                .saturating_add(past.div_euclid(400))
                .saturating_sub(BEFORE_EPOCH),
        )
    }

    /// Reads `YYYY-MM-DD`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
        Self::new(year, month, day)
    }

    /// The day on which this second since the epoch lies, and which second of that day it is.
    pub(crate) const fn at(seconds: i64) -> (Self, i64) {
        (
            Self(seconds.div_euclid(SECONDS_OF_DAY)),
            seconds.rem_euclid(SECONDS_OF_DAY),
        )
    }

    /// The second since the epoch at which the day begins in UTC.
    pub(crate) const fn seconds(self) -> i64 {
        self.0.saturating_mul(SECONDS_OF_DAY)
    }

    /// The day that is so many days later, or earlier if they are negative.
    pub(crate) const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Year, month and day of the month.
    pub(crate) fn date(self) -> (i64, i64, i64) {
        // 146,097 days are 400 years. By the mean length of a year the guess is too late by one at most.
        let days = self.0.saturating_add(BEFORE_EPOCH);
        let guess = days
            .saturating_mul(400)
            .div_euclid(146_097)
            .saturating_add(2);
        let year = (0..4)
            .map(|late| guess.saturating_sub(late))
            .find(|year| Self::new_year(*year) <= self)
            .unwrap_or(guess);
        let mut day = self.0.saturating_sub(Self::new_year(year).0);
        let mut month = 1_i64;
        for length in month_lengths(year) {
            if day < length {
                break;
            }
            day = day.saturating_sub(length);
            month = month.saturating_add(1);
        }
        (year, month, day.saturating_add(1))
    }

    /// The day of the week.
    pub(crate) const fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        match self.0.rem_euclid(7) {
            0 => Weekday::Thu,
            1 => Weekday::Fri,
            2 => Weekday::Sat,
            3 => Weekday::Sun,
            4 => Weekday::Mon,
            5 => Weekday::Tue,
            _ => Weekday::Wed,
        }
    }
}

/// As it is read: `YYYY-MM-DD`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Numbers of so many ASCII digits each, with one character between them.
pub(crate) fn numbers<const N: usize>(
    text: &str,
    between: char,
    digits: [usize; N],
) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())
        })?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Whether a year has a 29 February.
pub(crate) const fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

const fn month_lengths(year: i64) -> [i64; 12] {
    let february = if is_leap(year) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn every_day_of_the_calendar_has_its_name() {
        // The calendar repeats itself every 400 years.
        let mut day = Day::new(1799, 1, 1).unwrap();
        let days = date(1799, 1, 1).series(jiff::ToSpan::days(1));
        for expected in days.take_while(|day| day.year() < 2201) {
            let (year, month, of_month) = (
                expected.year().into(),
                expected.month().into(),
                expected.day().into(),
            );
            assert_eq!(day.date(), (year, month, of_month));
            assert_eq!(Day::new(year, month, of_month), Some(day));
            assert_eq!(
                day.weekday() as i8,
                expected.weekday().to_monday_zero_offset()
            );
            day = day.plus(1);
        }
        assert_eq!(Day::new(1, 1, 1).unwrap().to_string(), "0001-01-01");
        assert_eq!(
            Day::new(9_999, 12, 31).unwrap().plus(1).date(),
            (10_000, 1, 1)
        );
    }

    #[test]
    fn what_the_calendar_lacks_is_no_day() {
        for text in [
            "2027-02-29",
            "2100-02-29",
            "2026-04-31",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "0000-01-01",
            "2026-1-01",
            "2026-01-01-01",
            "+026-01-01",
            "2026-01",
            "20260101",
            " 2026-01-01",
            "",
        ] {
            assert_eq!(Day::parse(text), None, "{text:?}");
        }
        assert_eq!(Day::parse("1970-01-02").map(Day::seconds), Some(86_400));
        assert!(Day::parse("2028-02-29").is_some() && Day::parse("2000-02-29").is_some());
    }
}
