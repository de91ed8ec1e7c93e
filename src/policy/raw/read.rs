//! From a JSON value to what a type says of it, and everything that does not fit, each with its place.
//!
//! An error is noted, and reading goes on with a default in the place of what is wrong; nothing comes of a document
//! with errors. So no function here returns early, and what a type costs of the filter is hardly more than the calls
//! for its members: a fifth of what serde's derive makes of it.
//!
//! No message quotes what stands in the place of an object: it may be a key. Other texts are quoted.

use crate::policy::check::{At, ConfigError};
use serde_json::{Map, Value};
use std::fmt::Write;

/// So many errors are noted of one document; what is wrong in each of ten thousand rules need not be said of each.
const MAX_ERRORS: usize = 100;

/// Reads a `T`.
///
/// # Errors
/// All that is not of the right shape, in the order of the types' members; never empty.
pub(in crate::policy) fn read<T: Read>(at: At<'_>, value: Value) -> Result<T, Vec<ConfigError>> {
    let mut reader = Reader { errors: Vec::new() };
    let read = T::read(&mut reader, &at, value);
    if reader.errors.is_empty() {
        Ok(read)
    } else {
        Err(reader.errors)
    }
}

/// What can be read. The default is for members that are left out, and stands for what is wrong.
pub(in crate::policy) trait Read: Default {
    /// What a value says; anything after having noted an error. A null says nothing, and is an error: taken for a
    /// member that is left out, it would widen what the author narrowed.
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self;
}

/// Where errors go.
pub(in crate::policy) struct Reader {
    errors: Vec<ConfigError>,
}

impl Reader {
    #[cold]
    #[inline(never)]
    pub(in crate::policy) fn error(&mut self, at: &At<'_>, message: String) {
        let (path, message) = match self.errors.len() {
            ..MAX_ERRORS => (String::from(*at), message),
            MAX_ERRORS => (String::new(), "there are more errors like these".into()),
            _ => return,
        };
        self.errors.push(ConfigError { path, message });
    }

    /// A value is of another type.
    #[cold]
    #[inline(never)]
    pub(in crate::policy) fn unlike(&mut self, at: &At<'_>, value: &Value, expected: &str) {
        let found = match value {
            Value::Null => "null".into(),
            Value::Bool(value) => format!("boolean `{value}`"),
            Value::Number(number) if number.is_f64() => format!("floating point `{number}`"),
            Value::Number(number) => format!("integer `{number}`"),
            Value::String(text) => format!("string {text:?}"),
            Value::Array(_) => "sequence".into(),
            Value::Object(_) => "map".into(),
        };
        self.error(at, format!("invalid type: {found}, expected {expected}"));
    }

    /// What a value was read as, or that it is of another type.
    fn scalar<T: Default>(
        &mut self,
        at: &At<'_>,
        value: &Value,
        read: Option<T>,
        expected: &str,
    ) -> T {
        if read.is_none() {
            self.unlike(at, value, expected);
        }
        read.unwrap_or_default()
    }

    /// The members of an object, and whether it is one.
    #[inline(never)]
    fn members(&mut self, at: &At<'_>, value: Value) -> (Map<String, Value>, bool) {
        match value {
            Value::Object(members) => return (members, true),
            Value::Array(_) => self.error(at, "is a list; write an object".into()),
            // It may be a key.
            Value::String(_) => {
                self.error(at, "invalid type: string, expected an object".into());
            }
            other => self.unlike(at, &other, "an object"),
        }
        (Map::new(), false)
    }

    /// Each item of a list.
    #[inline(never)]
    fn items(
        &mut self,
        at: &At<'_>,
        value: Value,
        read: &mut dyn FnMut(&mut Self, &At<'_>, Value),
    ) {
        let Value::Array(items) = value else {
            self.unlike(at, &value, "a sequence");
            return;
        };
        for (nth, item) in items.into_iter().enumerate() {
            read(self, &at.item(nth), item);
        }
    }

    /// Each member of an object.
    #[inline(never)]
    fn named(&mut self, at: &At<'_>, value: Value, read: &mut dyn FnMut(&mut Self, String, Value)) {
        let (members, _) = self.members(at, value);
        for (name, value) in members {
            read(self, name, value);
        }
    }

    /// The place of a text among words.
    #[inline(never)]
    pub(super) fn word(&mut self, at: &At<'_>, value: &Value, words: &[&str]) -> Option<usize> {
        let Value::String(text) = value else {
            self.unlike(at, value, "a string");
            return None;
        };
        let place = words.iter().position(|word| word == text);
        if place.is_none() {
            self.unknown(at, "variant", text, words);
        }
        place
    }

    #[cold]
    #[inline(never)]
    fn unknown(&mut self, at: &At<'_>, what: &str, name: &str, known: &[&str]) {
        let mut message = format!("unknown {what} `{name}`, expected ");
        let between = match known.len() {
            0..=2 => " or ",
            _ => {
                message.push_str("one of ");
                ", "
            }
        };
        for (nth, name) in known.iter().enumerate() {
            let between = if nth == 0 { "" } else { between };
            // Writing to a String cannot fail.
            _ = write!(message, "{between}`{name}`");
        }
        self.error(at, message);
    }
}

/// The members of an object, of which each is taken by its name.
pub(in crate::policy) struct Object<'a> {
    reader: &'a mut Reader,
    at: &'a At<'a>,
    members: Map<String, Value>,
    /// Whether there is an object: if not, that was said, and nothing else is missing.
    is_there: bool,
    /// How many members were taken.
    taken: usize,
}

impl<'a> Object<'a> {
    #[inline(never)]
    pub(in crate::policy) fn of(reader: &'a mut Reader, at: &'a At<'a>, value: Value) -> Self {
        let (members, is_there) = reader.members(at, value);
        Self {
            reader,
            at,
            members,
            is_there,
            taken: 0,
        }
    }

    /// What a member says; the default if it is left out.
    #[inline(never)]
    pub(in crate::policy) fn member<T: Read>(&mut self, name: &'static str) -> T {
        match self.take(name) {
            Some((at, value)) => T::read(self.reader, &at, value),
            None => T::default(),
        }
    }

    #[inline(never)]
    fn take(&mut self, name: &'static str) -> Option<(At<'a>, Value)> {
        if self.taken == self.members.len() {
            return None;
        }
        let member = self.members.get_mut(name)?;
        self.taken = self.taken.wrapping_add(1);
        Some((self.at.member(name), member.take()))
    }

    /// A member must be there.
    #[inline(never)]
    pub(in crate::policy) fn needed(&mut self, name: &'static str) {
        if self.is_there && !self.members.contains_key(name) {
            self.reader
                .error(self.at, format!("missing field `{name}`"));
        }
    }

    /// Makes a list of an empty object, as which Kong writes an empty list: its Lua can't tell the two apart.
    #[inline(never)]
    pub(in crate::policy) fn empty_list(&mut self, name: &'static str) {
        if let Some(member @ Value::Object(_)) = self.members.get_mut(name)
            && member.as_object().is_some_and(Map::is_empty)
        {
            *member = Value::Array(Vec::new());
        }
    }

    /// There must be no members but those.
    #[inline(never)]
    pub(in crate::policy) fn end(self, known: &[&str]) {
        if self.taken == self.members.len() {
            return;
        }
        for name in self.members.keys() {
            if !known.contains(&name.as_str()) {
                let at = self.at.member(name);
                self.reader.unknown(&at, "field", name, known);
            }
        }
    }
}

/// Reads a struct from an object that has these members, `needed` or not.
macro_rules! read_object {
    ($type:ident { $($name:ident $(: $how:ident)?),+ $(,)? }) => {
        impl $crate::policy::raw::Read for $type {
            fn read(
                reader: &mut $crate::policy::raw::Reader,
                at: &$crate::policy::check::At<'_>,
                value: serde_json::Value,
            ) -> Self {
                let mut object = $crate::policy::raw::Object::of(reader, at, value);
                let read = Self {
                    $($name: {
                        $(object.$how(stringify!($name));)?
                        object.member(stringify!($name))
                    },)+
                };
                object.end(&[$(stringify!($name)),+]);
                read
            }
        }
    };
}
pub(in crate::policy) use read_object;

/// Reads an enum from one of these words.
macro_rules! read_words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $crate::policy::raw::Read for $type {
            fn read(
                reader: &mut $crate::policy::raw::Reader,
                at: &$crate::policy::check::At<'_>,
                value: serde_json::Value,
            ) -> Self {
                let place = reader.word(at, &value, &[$($word),+]);
                let variants = [$(Self::$variant),+];
                place.and_then(|place| variants.get(place).copied()).unwrap_or_default()
            }
        }
    };
}
pub(in crate::policy) use read_words;

impl Read for Value {
    fn read(_: &mut Reader, _: &At<'_>, value: Value) -> Self {
        value
    }
}

impl Read for String {
    #[inline(never)]
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        match value {
            Value::String(text) => text,
            other => {
                reader.unlike(at, &other, "a string");
                Self::new()
            }
        }
    }
}

impl Read for bool {
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        reader.scalar(at, &value, value.as_bool(), "a boolean")
    }
}

impl Read for u64 {
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        let expected = "a whole number that is not negative";
        reader.scalar(at, &value, value.as_u64(), expected)
    }
}

impl Read for f64 {
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        reader.scalar(at, &value, value.as_f64(), "a number")
    }
}

impl<T: Read> Read for Option<T> {
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        Some(T::read(reader, at, value))
    }
}

impl<T: Read> Read for Box<T> {
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        Self::new(T::read(reader, at, value))
    }
}

impl<T: Read> Read for Vec<T> {
    #[inline(never)]
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        let mut list = Self::with_capacity(value.as_array().map_or(0, Vec::len));
        reader.items(at, value, &mut |reader, at, item| {
            list.push(T::read(reader, at, item));
        });
        list
    }
}

/// One value, or a list of them.
#[derive(Debug)]
pub(in crate::policy) struct OneOrMany<T> {
    pub(in crate::policy) items: Vec<T>,
    /// Whether it was written as a list, which decides how its parts are named in errors.
    pub(in crate::policy) is_list: bool,
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            is_list: false,
        }
    }
}

impl<T: Read> Read for OneOrMany<T> {
    #[inline(never)]
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        let is_list = value.is_array();
        let items = match value {
            Value::Array(_) => Vec::read(reader, at, value),
            Value::String(_) | Value::Object(_) => vec![T::read(reader, at, value)],
            other => {
                reader.unlike(at, &other, "one value or a list of them");
                Vec::new()
            }
        };
        Self { items, is_list }
    }
}

/// What is written by names that the author chooses, sorted by those.
#[derive(Debug)]
pub(in crate::policy) struct Named<T>(pub(in crate::policy) Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for Named<T> {
    #[inline(never)]
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        let mut named = Vec::with_capacity(value.as_object().map_or(0, Map::len));
        reader.named(at, value, &mut |reader, name, value| {
            let value = T::read(reader, &at.member(&name), value);
            // Mostly the last.
            let place = named.partition_point(|(before, _)| *before < name);
            named.insert(place, (name, value));
        });
        Self(named)
    }
}
