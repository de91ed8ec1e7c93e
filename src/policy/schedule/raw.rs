//! Windows of time as they are written.

use crate::policy::check::At;
use crate::policy::raw::{Read, Reader, read_object};
use serde_json::Value;

/// A window of time, by what a clock on the wall of its time zone shows. Of days, times and dates it names
/// one at least; all that it names must hold.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Window", transparent)
)]
pub(in crate::policy) struct RawWindow(pub(super) RawMembers);

impl Read for RawWindow {
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        Self(Read::read(reader, at, value))
    }
}

/// What is written in a window.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WindowMembers", deny_unknown_fields)
)]
pub(in crate::policy) struct RawMembers {
    /// The days on which the window begins, `mon` to `sun`; left out: on any.
    pub(super) days: Option<Vec<String>>,
    /// The time at which it begins, `HH:MM`; left out: `00:00`.
    pub(super) from: Option<String>,
    /// The time before which it ends, `HH:MM` up to `24:00`; left out: `24:00`. If that is not after
    /// `from`, it ends on the day after the one on which it began.
    pub(super) to: Option<String>,
    /// Whose clock counts: a name of the IANA time zone database, like `Europe/Berlin`, or `UTC`.
    pub(super) timezone: Option<String>,
    /// The first and the last date on which it begins; left out: on any.
    pub(super) dates: Option<RawDates>,
}

read_object!(RawMembers {
    days,
    from,
    to,
    timezone,
    dates,
});

/// A span of dates, in the window's time zone.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Dates", deny_unknown_fields)
)]
pub(in crate::policy) struct RawDates {
    /// The first date, `YYYY-MM-DD`; left out: no first one.
    pub(super) from: Option<String>,
    /// The last date, `YYYY-MM-DD`; left out: no last one.
    pub(super) to: Option<String>,
}

read_object!(RawDates { from, to });
