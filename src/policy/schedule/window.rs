//! One window of time.
//!
//! A window is what a clock on the wall shows, for that is what people agree on. Where clocks are put
//! forward, times that are skipped lie in no window; where they are put back, times that come twice lie in
//! it both times. A window over midnight belongs to the day on which it began.

use super::raw::{RawDates, RawMembers};
use super::zone::{Local, Zone};
use crate::calendar::{Day, Weekday, numbers};
use crate::policy::check::{At, ConfigError};
use crate::time::UnixTime;
use std::fmt;

/// The last minute of a day.
const LAST_MINUTE: i64 = 1_439;

/// The minute after a day's last.
const MIDNIGHT: i64 = 1_440;

/// A window, of which at least one of days, times and dates was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// The days of the week on which it begins, in order; empty for all.
    days: Vec<Weekday>,
    /// The minute of the day with which it begins, up to 23:59.
    from: i64,
    /// The minute before which it ends, 00:00 to 24:00; of the next day, if that is not after `from`.
    to: i64,
    /// The first date on which it begins.
    first: Option<Day>,
    /// The last date on which it begins.
    last: Option<Day>,
    zone: Zone,
}

impl Window {
    /// Checks what is written at `path`; nothing after having reported why.
    pub(super) fn check(
        path: At<'_>,
        raw: RawMembers,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let mut report = Report { path, errors };
        if raw.days.is_none() && raw.from.is_none() && raw.to.is_none() && raw.dates.is_none() {
            let message = "names no time, so it would always hold; name days, from, to or dates";
            report.error("", message.into());
            return None;
        }
        let days = report.days(raw.days);
        let from = report.ok(".from", minute(raw.from, 0, LAST_MINUTE));
        let to = report.ok(".to", minute(raw.to, MIDNIGHT, MIDNIGHT));
        let dates = report.dates(raw.dates);
        let zone = report.ok(".timezone", zone(raw.timezone));
        let (first, last) = dates?;
        let window = Self {
            days: days?,
            from: from?,
            to: to?,
            first,
            last,
            zone: zone?,
        };
        report.ok(".days", window.ever_begins()).map(|()| window)
    }

    /// Whether a moment lies in it.
    pub(super) fn covers(&self, now: UnixTime) -> bool {
        let Local { day, second } = self.zone.local(now);
        let minute = second.div_euclid(60);
        if self.from < self.to {
            (self.from..self.to).contains(&minute) && self.begins_on(day)
        } else {
            (minute >= self.from && self.begins_on(day))
                || (minute < self.to && self.begins_on(day.plus(-1)))
        }
    }

    /// What its zone's clocks show: `Fri 2026-11-20 17:03 Europe/Berlin`.
    pub(super) fn local_time(&self, now: UnixTime) -> String {
        let Local { day, second } = self.zone.local(now);
        format!(
            "{:?} {} {} {}",
            day.weekday(),
            day,
            Time(second.div_euclid(60)),
            self.zone.name()
        )
    }

    fn begins_on(&self, day: Day) -> bool {
        (self.days.is_empty() || self.days.contains(&day.weekday()))
            && self.first.is_none_or(|first| first <= day)
            && self.last.is_none_or(|last| day <= last)
    }

    fn ever_begins(&self) -> Result<(), String> {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Ok(());
        };
        // Each day of the week is among seven days.
        let begins = (0..7)
            .map(|days| first.plus(days))
            .any(|day| self.begins_on(day));
        if begins {
            return Ok(());
        }
        Err(format!(
            "none of these lies between {} and {}, so the window is never open; name one that does, or other dates",
            first, last
        ))
    }
}

/// `fri 16:00-24:00 Europe/Berlin`, `00:00-24:00 2026-12-20..2027-01-03 UTC`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<&str> = self.days.iter().map(|day| day.name()).collect();
        if !days.is_empty() {
            write!(f, "{} ", days.join(","))?;
        }
        write!(f, "{}-{} ", Time(self.from), Time(self.to))?;
        let date = |day: Option<Day>| day.map(|day| day.to_string()).unwrap_or_default();
        if self.first.is_some() || self.last.is_some() {
            write!(f, "{}..{} ", date(self.first), date(self.last))?;
        }
        f.write_str(self.zone.name())
    }
}

/// Where errors of one window go.
struct Report<'a> {
    path: At<'a>,
    errors: &'a mut Vec<ConfigError>,
}

impl Report<'_> {
    fn error(&mut self, member: &str, message: String) {
        self.errors.push(ConfigError {
            path: format!("{}{member}", self.path),
            message,
        });
    }

    fn ok<T>(&mut self, member: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.error(member, message)).ok()
    }

    fn days(&mut self, raw: Option<Vec<String>>) -> Option<Vec<Weekday>> {
        let Some(names) = raw else {
            return Some(Vec::new());
        };
        if names.is_empty() {
            let message =
                "is empty, which matches nothing; name one, or leave the list out for any";
            self.error(".days", message.into());
            return None;
        }
        let mut is_good = true;
        for (nth, name) in names.iter().enumerate() {
            if Weekday::WEEK.iter().all(|day| day.name() != name) {
                let message =
                    format!("{name:?} is no day; write mon, tue, wed, thu, fri, sat or sun");
                self.error(&format!(".days[{nth}]"), message);
                is_good = false;
            }
        }
        let days = Weekday::WEEK
            .into_iter()
            .filter(|day| names.iter().any(|name| name == day.name()));
        is_good.then(|| days.collect())
    }

    fn dates(&mut self, raw: Option<RawDates>) -> Option<(Option<Day>, Option<Day>)> {
        let Some(raw) = raw else {
            return Some((None, None));
        };
        if raw.from.is_none() && raw.to.is_none() {
            let message = "names no date; name from or to, or leave dates out for any";
            self.error(".dates", message.into());
            return None;
        }
        let first = self.ok(".dates.from", date(raw.from));
        let last = self.ok(".dates.to", date(raw.to));
        let (first, last) = (first?, last?);
        if let (Some(from), Some(to)) = (first, last)
            && from > to
        {
            let message = format!(
                "{} is before {}, with which dates begin; write the later date here",
                to, from
            );
            self.error(".dates.to", message);
            return None;
        }
        Some((first, last))
    }
}

/// Reads `HH:MM`, up to `last`; in minutes.
fn minute(raw: Option<String>, left_out: i64, last: i64) -> Result<i64, String> {
    let Some(text) = raw else {
        return Ok(left_out);
    };
    numbers(&text, ':', [2, 2])
        .filter(|[_, minute]| *minute < 60)
        .map(|[hour, minute]| hour.saturating_mul(60).saturating_add(minute))
        .filter(|minute| *minute <= last)
        .ok_or_else(|| {
            format!(
                "{text:?} is no time of day here; write \"HH:MM\", \"00:00\" to \"{}\"",
                Time(last)
            )
        })
}

fn date(raw: Option<String>) -> Result<Option<Day>, String> {
    let Some(text) = raw else {
        return Ok(None);
    };
    Day::parse(&text)
        .map(Some)
        .ok_or_else(|| format!("{text:?} is no day of the calendar; write \"YYYY-MM-DD\""))
}

fn zone(raw: Option<String>) -> Result<Zone, String> {
    Zone::find(&raw.ok_or(
        "is missing; name the zone whose clock counts, like \"Europe/Berlin\", or \"UTC\"",
    )?)
}

/// A minute of the day as `HH:MM`.
struct Time(i64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute) = (self.0.div_euclid(60), self.0.rem_euclid(60));
        write!(f, "{hour:02}:{minute:02}")
    }
}
