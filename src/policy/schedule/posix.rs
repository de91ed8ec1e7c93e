//! The rule by which a zone's clocks go on from its last known change: a `TZ` string of POSIX.1-2024
//! (8.3, Other Environment Variables), with the times of day from -167 to 167 that RFC 9636 (3.3.2) allows.
//!
//! A library for such rules makes the filter larger by 28 KB (tz-rs) or 50 KB (jiff-core), and can panic.
//! This is a fifth of that, and tests compare it with jiff on any rule and on every zone.

use crate::calendar::{Day, is_leap};

const HOUR: i64 = 3_600;

/// One offset for the whole year, or two by turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// The standard offset from UTC, in seconds: positive is east of Greenwich.
    standard: i64,
    summer: Option<Summer>,
}

/// The part of the year with another offset. It is winter where standard time is said to be summer's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    offset: i64,
    begins: Yearly,
    ends: Yearly,
}

/// A moment of each year, on the clock that it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Yearly {
    date: YearlyDate,
    /// Seconds from the midnight at which the day begins; beyond the day, or negative, too.
    time: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum YearlyDate {
    /// `Jn`: a day of the year from 1, where 29 February has no number.
    CommonYear(i64),
    /// `n`: a day of the year from 0.
    Year(i64),
    /// `Mm.w.d`: the week's day 0 (Sunday) to 6 for the first to fourth time in that month, or with 5 for
    /// the last time.
    Month { month: i64, week: i64, day: i64 },
}

impl Rule {
    /// Reads a rule. Nothing if it is none, or has summer time without saying when.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        abbreviation(&mut rest)?;
        let standard = time(&mut rest, 24)?.checked_neg()?;
        if rest.is_empty() {
            return Some(Self {
                standard,
                summer: None,
            });
        }
        abbreviation(&mut rest)?;
        let offset = if rest.starts_with(',') {
            standard.checked_add(HOUR)?
        } else {
            time(&mut rest, 24)?.checked_neg()?
        };
        let (begins, ends) = rest.strip_prefix(',')?.split_once(',')?;
        Some(Self {
            standard,
            summer: Some(Summer {
                offset,
                begins: Yearly::parse(begins)?,
                ends: Yearly::parse(ends)?,
            }),
        })
    }

    /// The offset from UTC, in seconds, at this Unix time.
    pub(super) fn offset(&self, now: i64) -> i64 {
        let Some(summer) = &self.summer else {
            return self.standard;
        };
        // The last change before now decides. By its offset it may lie in the next year's UTC. Where summer
        // begins as it ends, it goes on: so the rules of zones say that have it all the year.
        let (year, _, _) = Day::at(now).0.date();
        (year.saturating_sub(1)..=year.saturating_add(1))
            .flat_map(|year| {
                [
                    (summer.ends.moment(year, summer.offset), false),
                    (summer.begins.moment(year, self.standard), true),
                ]
            })
            .filter(|(moment, _)| *moment <= now)
            .max()
            .filter(|(_, begins)| *begins)
            .map_or(self.standard, |_| summer.offset)
    }
}

impl Yearly {
    fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('/') {
            Some((date, mut rest)) => {
                let time = time(&mut rest, 167).filter(|_| rest.is_empty())?;
                (date, time)
            }
            None => (text, HOUR.saturating_mul(2)),
        };
        Some(Self {
            date: YearlyDate::parse(date)?,
            time,
        })
    }

    /// The Unix time in this year, on a clock with this offset.
    fn moment(&self, year: i64, offset: i64) -> i64 {
        self.date
            .day(year)
            .seconds()
            .saturating_add(self.time)
            .saturating_sub(offset)
    }
}

impl YearlyDate {
    fn parse(text: &str) -> Option<Self> {
        if let Some(text) = text.strip_prefix('J') {
            return number(text, 1, 365).map(Self::CommonYear);
        }
        let Some(text) = text.strip_prefix('M') else {
            return number(text, 0, 365).map(Self::Year);
        };
        let (month, text) = text.split_once('.')?;
        let (week, day) = text.split_once('.')?;
        Some(Self::Month {
            month: number(month, 1, 12)?,
            week: number(week, 1, 5)?,
            day: number(day, 0, 6)?,
        })
    }

    fn day(&self, year: i64) -> Day {
        let new_year = Day::new_year(year);
        match *self {
            Self::Year(day) => new_year.plus(day),
            Self::CommonYear(day) => {
                let skipped = i64::from(is_leap(year) && day >= 60);
                new_year.plus(day.saturating_sub(1).saturating_add(skipped))
            }
            Self::Month { month, week, day } => {
                let first = Day::new(year, month, 1).unwrap_or(new_year);
                // Monday is 0 for the calendar and 1 here.
                let weekday = (first.weekday() as i64).saturating_add(1);
                let to_first = day.saturating_sub(weekday).rem_euclid(7);
                let weeks = week.saturating_sub(1).saturating_mul(7);
                let found = first.plus(to_first.saturating_add(weeks));
                // Only the fifth can be missing: then the last is the fourth.
                match found.date() {
                    (_, in_month, _) if in_month == month => found,
                    _ => found.plus(-7),
                }
            }
        }
    }
}

/// Takes the name of an offset, which tells nothing: `CET`, `<+0330>`.
fn abbreviation(rest: &mut &str) -> Option<()> {
    *rest = match rest.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?.1,
        None => {
            let after = rest.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
            if after.len() == rest.len() {
                return None;
            }
            after
        }
    };
    Some(())
}

/// Takes `[+-]h[:mm[:ss]]`, with at most so many hours; in seconds.
fn time(rest: &mut &str, most_hours: i64) -> Option<i64> {
    let (is_negative, text) = match rest.strip_prefix(['-', '+']) {
        Some(text) => (rest.starts_with('-'), text),
        None => (false, *rest),
    };
    let after =
        text.trim_start_matches(|character: char| character.is_ascii_digit() || character == ':');
    let mut parts = text.strip_suffix(after)?.split(':');
    let mut seconds = number(parts.next()?, 0, most_hours)?.checked_mul(HOUR)?;
    for unit in [60, 1] {
        if let Some(part) = parts.next() {
            seconds = seconds.checked_add(number(part, 0, 59)?.checked_mul(unit)?)?;
        }
    }
    if parts.next().is_some() {
        return None;
    }
    *rest = after;
    if is_negative {
        return seconds.checked_neg();
    }
    Some(seconds)
}

fn number(text: &str, least: i64, most: i64) -> Option<i64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number)?;
    (least..=most).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::option;
    use proptest::prelude::*;

    /// Any rule: one or two offsets; changes on dates of each form, in two parts of the year in either
    /// order, at any time of theirs.
    fn rule() -> impl Strategy<Value = String> {
        let offset = || (-20_i8..=20, 0_u8..60).prop_map(|(h, m)| format!("{h}:{m:02}"));
        let time = || (-167_i16..=167, 0_u8..60).prop_map(|(h, m)| format!("/{h}:{m:02}"));
        let change = |first_month: u8, first_day: u16| {
            let date = prop_oneof![
                (first_month..first_month + 4, 1_u8..=5, 0_u8..=6)
                    .prop_map(|(m, w, d)| format!("M{m}.{w}.{d}")),
                (first_day..first_day + 120).prop_map(|day| format!("J{day}")),
                (first_day..first_day + 120).prop_map(|day| day.to_string()),
            ];
            (date, option::of(time())).prop_map(|(date, time)| date + &time.unwrap_or_default())
        };
        let changes = (change(2, 30), change(8, 220), any::<bool>()).prop_map(
            |(spring, autumn, is_north)| match is_north {
                true => format!(",{spring},{autumn}"),
                false => format!(",{autumn},{spring}"),
            },
        );
        let summer = (option::of(offset()), changes)
            .prop_map(|(offset, changes)| format!("ABC{}{changes}", offset.unwrap_or_default()));
        (offset(), option::of(summer))
            .prop_map(|(offset, summer)| format!("<-04>{offset}{}", summer.unwrap_or_default()))
    }

    proptest! {
        #[test]
        fn rules_are_read_as_jiff_reads_them(text in rule(), now in 0_i64..4_000_000_000) {
            let expected = TimeZone::posix(&text).unwrap();
            let rule = Rule::parse(&text).unwrap();
            let changes: Vec<i64> = expected
                .following(Timestamp::from_second(now).unwrap())
                .take(4)
                .map(|change| change.timestamp().as_second())
                .collect();
            for moment in changes.iter().flat_map(|at| [at - 1, *at, at + 1]).chain([now]) {
                let expected = expected.to_offset(Timestamp::from_second(moment).unwrap());
                prop_assert_eq!(rule.offset(moment), i64::from(expected.seconds()), "{} at {}", text, moment);
            }
        }
    }

    #[test]
    fn summer_may_be_negative_or_last_all_the_year() {
        // As Ireland's law has it: standard time in summer, and an hour less in winter.
        let dublin = Rule::parse("IST-1GMT0,M10.5.0,M3.5.0/1").unwrap();
        let all_year = Rule::parse("XXX3EDT4,0/0,J365/23").unwrap();
        for (rule, time, offset) in [
            (&dublin, "2026-01-15T12:00:00Z", 0),
            (&dublin, "2026-03-29T00:59:59Z", 0),
            (&dublin, "2026-03-29T01:00:00Z", HOUR),
            (&dublin, "2026-10-25T00:59:59Z", HOUR),
            (&dublin, "2026-10-25T01:00:00Z", 0),
            (&all_year, "2026-12-31T23:59:59Z", -4 * HOUR),
            (&all_year, "2027-01-01T03:59:59Z", -4 * HOUR),
            (&all_year, "2027-01-01T04:00:00Z", -4 * HOUR),
            (&all_year, "2028-06-30T00:00:00Z", -4 * HOUR),
        ] {
            let now: Timestamp = time.parse().unwrap();
            assert_eq!(rule.offset(now.as_second()), offset, "{time}");
        }
    }

    #[test]
    fn what_is_no_rule_is_not_guessed_at() {
        for text in [
            "",
            "CET",
            "-1",
            "<+01-1",
            "CET-1CEST",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.5.0,M10.5.0,M11.1.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,M3.5.7,M10.5.0",
            "CET-1CEST,M3.5,M10.5.0",
            "CET-1CEST,J0,M10.5.0",
            "CET-1CEST,366,M10.5.0",
            "CET-1CEST,M3.5.0/168,M10.5.0",
            "CET-1CEST,M3.5.0/2x,M10.5.0",
            "CET-1CEST,M3.5.0/2:60,M10.5.0",
            "CET-1:00:00:00",
            "CET-25",
            "CET-99999999999999999999",
            "CET-1 ",
        ] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }
}
