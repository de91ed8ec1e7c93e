//! JSON written member by member, on one line of printable ASCII, so that no value can begin a line of its own or drive
//! a terminal.

use super::escape::clipped;
use serde_json::Value;

/// Members of a JSON object, or elements of an array, with commas between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(String);

impl Line {
    /// Nothing yet, with room for this many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// How many bytes were written.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// What was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As an object.
    pub(crate) fn into_object(mut self) -> String {
        self.0.insert(0, '{');
        self.0.push('}');
        self.0
    }

    /// A member that is text.
    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        write_text(&mut self.0, value);
    }

    /// A member that is text which stands for itself, as digests, codes and ids do.
    pub(crate) fn word(&mut self, name: &'static str, value: &str) {
        self.name(name);
        write_word(&mut self.0, value);
    }

    /// A member that is text, of which at most so many bytes are written, and `...` where something was left out.
    pub(super) fn clipped(&mut self, name: &'static str, value: &str, budget: usize) {
        self.name(name);
        if value.len() <= budget && is_plain(value) {
            write_word(&mut self.0, value);
        } else {
            write_text(&mut self.0, &clipped(value, budget));
        }
    }

    /// The same, if there is a text.
    pub(super) fn maybe_clipped(&mut self, name: &'static str, value: Option<&str>, budget: usize) {
        if let Some(value) = value {
            self.clipped(name, value, budget);
        }
    }

    /// A member that is a number.
    pub(crate) fn number(&mut self, name: &'static str, value: u64) {
        self.name(name);
        write_number(&mut self.0, value);
    }

    /// A member that is true; none if it is not.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        if value {
            self.name(name);
            self.0.push_str("true");
        }
    }

    /// A member that is any JSON, of any name.
    pub(super) fn value(&mut self, name: &str, value: &Value) {
        self.comma();
        write_text(&mut self.0, name);
        self.0.push(':');
        write_value(&mut self.0, value);
    }

    /// A member that is an object of these members; none if there are none of them.
    #[inline]
    pub(crate) fn object(&mut self, name: &'static str, members: &Self) {
        self.within(name, members, ['{', '}']);
    }

    /// A member that is an array of these elements; none if there are none of them.
    pub(crate) fn array(&mut self, name: &'static str, elements: &Self) {
        self.within(name, elements, ['[', ']']);
    }

    /// Members that were written before.
    pub(crate) fn members(&mut self, members: &str) {
        if !members.is_empty() {
            self.comma();
            self.0.push_str(members);
        }
    }

    /// An element that is text.
    pub(crate) fn element(&mut self, value: &str) {
        self.comma();
        write_text(&mut self.0, value);
    }

    /// An element that is an object of these members.
    #[inline]
    pub(crate) fn object_element(&mut self, members: &Self) {
        self.comma();
        self.enclosed(members, ['{', '}']);
    }

    #[inline]
    fn within(&mut self, name: &'static str, inner: &Self, [open, close]: [char; 2]) {
        if !inner.0.is_empty() {
            self.name(name);
            self.enclosed(inner, [open, close]);
        }
    }

    fn enclosed(&mut self, inner: &Self, [open, close]: [char; 2]) {
        self.0.push(open);
        self.0.push_str(&inner.0);
        self.0.push(close);
    }

    fn comma(&mut self) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
    }

    /// The names that are written here are words.
    fn name(&mut self, name: &'static str) {
        self.comma();
        write_word(&mut self.0, name);
        self.0.push(':');
    }
}

/// How many bytes a text takes.
#[cfg(test)]
pub(super) fn written(text: &str) -> usize {
    let mut out = String::new();
    write_text(&mut out, text);
    out.len()
}

fn write_word(out: &mut String, word: &str) {
    out.push('"');
    out.push_str(word);
    out.push('"');
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !stands_for_itself(byte)) {
        // What is not plain is at a character's beginning: before it all is ASCII.
        let (plain, odd) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut odd = odd.chars();
        if let Some(character) = odd.next() {
            write_escaped(out, character);
        }
        rest = odd.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Whether a text is written as it is. It looks at all of it, without a branch for each byte.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .fold(true, |so_far, byte| so_far & stands_for_itself(byte))
}

const fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'\\')
}

fn write_escaped(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            let mut units = [0; 2];
            for unit in other.encode_utf16(&mut units) {
                out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    let digit = u32::from(*unit >> shift & 0xf);
                    out.extend(char::from_digit(digit, 16));
                }
            }
        }
    }
}

fn write_number(out: &mut String, value: u64) {
    // As many as the largest has.
    let mut digits = ['0'; 20];
    let (mut rest, mut first) = (value, digits.len());
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        let last = u32::try_from(rest % 10).unwrap_or_default();
        *digit = char::from_digit(last, 10).unwrap_or_default();
        first = place;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.get(first..).unwrap_or_default());
}

/// The depth is bounded by the parser that made the value.
fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (nth, (name, item)) in members.iter().enumerate() {
                if nth > 0 {
                    out.push(',');
                }
                write_text(out, name);
                out.push(':');
                write_value(out, item);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(".*", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_one_line_of_printable_ascii_and_means_the_same(
            name in ".*", text in "\\PC*|.*", number in any::<u64>(), value in json(), flag in any::<bool>(),
        ) {
            let mut line = Line::default();
            line.value(&name, &text.clone().into());
            line.text("t", &text);
            line.clipped("c", &text, usize::MAX);
            line.number("n", number);
            line.value("v", &value);
            line.flag("f", flag);
            let mut inner = Line::default();
            inner.element(&text);
            line.array("a", &inner);
            line.object("none", &Line::default());
            let json = line.into_object();
            prop_assert!(json.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", json);
            let mut expected = serde_json::Map::new();
            expected.insert(name, Value::from(text.clone()));
            expected.insert("t".into(), text.clone().into());
            expected.insert("c".into(), text.clone().into());
            expected.insert("n".into(), number.into());
            expected.insert("v".into(), value);
            if flag {
                expected.insert("f".into(), true.into());
            }
            expected.insert("a".into(), vec![text.clone()].into());
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), Value::Object(expected));
            prop_assert_eq!(written(&text), format!("\"{}\"", json.split("\"a\":[\"").last().unwrap_or_default()
                .strip_suffix("\"]}").unwrap_or_default()).len());
        }
    }
}
