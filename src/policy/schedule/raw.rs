//! Windows of time as they are written.

use crate::policy::raw::present;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A window of time, by what a clock on the wall of its time zone shows. Of days, times and dates it names
/// one at least; all that it names must hold.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Window")
)]
pub(in crate::policy) struct RawWindow(#[serde(deserialize_with = "object")] pub(super) RawMembers);

/// What is written in a window.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WindowMembers")
)]
pub(in crate::policy) struct RawMembers {
    /// The days on which the window begins, `mon` to `sun`; left out: on any.
    #[serde(default, deserialize_with = "present")]
    pub(super) days: Option<Vec<String>>,
    /// The time at which it begins, `HH:MM`; left out: `00:00`.
    #[serde(default, deserialize_with = "present")]
    pub(super) from: Option<String>,
    /// The time before which it ends, `HH:MM` up to `24:00`; left out: `24:00`. If that is not after
    /// `from`, it ends on the day after the one on which it began.
    #[serde(default, deserialize_with = "present")]
    pub(super) to: Option<String>,
    /// Whose clock counts: a name of the IANA time zone database, like `Europe/Berlin`, or `UTC`.
    #[serde(default, deserialize_with = "present")]
    pub(super) timezone: Option<String>,
    /// The first and the last date on which it begins; left out: on any.
    #[serde(default, deserialize_with = "present_object")]
    pub(super) dates: Option<RawDates>,
}

/// A span of dates, in the window's time zone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Dates")
)]
pub(in crate::policy) struct RawDates {
    /// The first date, `YYYY-MM-DD`; left out: no first one.
    #[serde(default, deserialize_with = "present")]
    pub(super) from: Option<String>,
    /// The last date, `YYYY-MM-DD`; left out: no last one.
    #[serde(default, deserialize_with = "present")]
    pub(super) to: Option<String>,
}

fn present_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

/// An object. What serde derives takes a list for one too, with the members by their place.
fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct ObjectVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
            Err(A::Error::custom("is a list; write an object"))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(ObjectVisitor(PhantomData))
}
