//! A document as a tree that knows where each of its parts was written.

use serde_json::{Map, Value};
use std::ops::Range;
use std::rc::Rc;

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    /// From the value's first byte to its last; where the anchored value stands if this is an alias of it.
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Null, a boolean or a number.
    Bare(Value),
    Text {
        text: String,
        quoting: Quoting,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<Member>),
}

/// How a text is written, which decides how its characters are found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// Not at all, in YAML, where the text alone says that it is one.
    Plain,
    /// As it is, in a block of YAML.
    Block,
    /// Between `'`, which is doubled inside.
    Single,
    /// Between `"`, with escapes.
    Double,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Rc<Node>,
}

/// Where a path leads: the value, and the name that it stands under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) key: Option<Span>,
    pub(crate) value: Span,
}

impl Node {
    /// The member of this name, of a map.
    pub(crate) fn get(&self, name: &str) -> Option<&Rc<Self>> {
        let mut members = self.members().iter();
        members
            .find(|member| member.key == name)
            .map(|member| &member.value)
    }

    /// The members of a map; none of anything else.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Map(members) => members,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Rc<Self>] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value without its places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Bare(value) => value.clone(),
            Kind::Text { text, .. } => Value::from(text.as_str()),
            Kind::List(items) => items.iter().map(|item| item.to_value()).collect(),
            Kind::Map(members) => {
                let members = members.iter();
                Value::Object(
                    members
                        .map(|member| (member.key.clone(), member.value.to_value()))
                        .collect::<Map<_, _>>(),
                )
            }
        }
    }

    /// Where `path` leads, such as `rules[2].claims.build_branch`; or as far as it can be followed.
    ///
    /// Names may hold dots and brackets. Where that leaves several ways to read a path, the one that leads
    /// furthest counts, and of equals the one with the longer name.
    pub(crate) fn locate(&self, path: &str) -> Place {
        let start = Place {
            key: None,
            value: self.span.clone(),
        };
        self.follow(path, start).1
    }

    /// How much of `path` is left where it could not be followed further, and that place.
    fn follow(&self, path: &str, here: Place) -> (usize, Place) {
        let mut best = (path.len(), here);
        if path.is_empty() {
            return best;
        }
        if let Some((nth, rest)) = index(path)
            && let Some(item) = self.items().get(nth)
        {
            let place = Place {
                key: None,
                value: item.span.clone(),
            };
            return item.follow(rest, place);
        }
        let name = path.strip_prefix('.').unwrap_or(path);
        let mut members: Vec<_> = self.members().iter().collect();
        members.sort_by_key(|member| std::cmp::Reverse(member.key.len()));
        for member in members {
            let Some(rest) = name.strip_prefix(member.key.as_str()) else {
                continue;
            };
            if rest.is_empty() || rest.starts_with(['.', '[']) {
                let place = Place {
                    key: Some(member.key_span.clone()),
                    value: member.value.span.clone(),
                };
                let end = member.value.follow(rest, place);
                if end.0 < best.0 {
                    best = end;
                }
            }
        }
        best
    }
}

/// `[2].claims` is place 2, and `.claims` the rest.
fn index(path: &str) -> Option<(usize, &str)> {
    let (nth, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((nth.parse().ok()?, rest))
}
