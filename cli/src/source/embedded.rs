//! JSON that is a text inside of another document: where its characters stand in the file.

use super::flaw::Flaw;
use super::json;
use super::tree::{Kind, Member, Node, Quoting, Span};
use std::rc::Rc;

/// Reads `text`, which stands at `span` of `file`, as JSON whose places are those of the file.
///
/// # Errors
/// The first thing that is not strict JSON.
pub(crate) fn parse(
    file: &str,
    span: &Span,
    quoting: Quoting,
    text: &str,
) -> Result<Rc<Node>, Flaw> {
    let places = Places::new(file, span, quoting, text);
    match json::parse(text) {
        Ok(node) => Ok(places.moved(&node)),
        Err(flaw) => Err(Flaw {
            span: places.span(&flaw.span),
            ..flaw
        }),
    }
}

/// For each byte of a decoded text, the bytes of the file that its character comes from.
struct Places {
    characters: Vec<Span>,
    /// The text's own place.
    whole: Span,
    /// Whether each character was found; else all of the text is at its beginning.
    exact: bool,
}

impl Places {
    /// Walks both texts at once. Space is skipped in both, so that neither indentation nor folded lines
    /// matter: between JSON's tokens it means nothing, and within a string the place is off by some spaces.
    fn new(file: &str, span: &Span, quoting: Quoting, text: &str) -> Self {
        let whole = span.clone();
        let mut written = Written {
            rest: file.get(span.clone()).unwrap_or_default(),
            at: span.start,
            quoting,
        };
        written.skip_opening();
        let mut characters = Vec::with_capacity(text.len());
        let mut exact = true;
        for wanted in text.chars() {
            let place = if wanted.is_whitespace() {
                written.at..written.at
            } else {
                match written.find(wanted) {
                    Some(place) => place,
                    None => {
                        exact = false;
                        break;
                    }
                }
            };
            characters.extend(std::iter::repeat_n(place, wanted.len_utf8()));
        }
        Self {
            characters,
            whole,
            exact,
        }
    }

    fn span(&self, inner: &Span) -> Span {
        if !self.exact {
            return self.whole.clone();
        }
        let at = |byte: usize| self.characters.get(byte);
        let end = self.whole.end..self.whole.end;
        let first = at(inner.start).unwrap_or(&end);
        // The end of the last character, not the beginning of the next one, which may be lines below.
        let last = inner.end.checked_sub(1).filter(|last| *last >= inner.start);
        let last = last.map_or(first.start, |last| at(last).unwrap_or(&end).end);
        first.start..last.max(first.start)
    }

    fn moved(&self, node: &Node) -> Rc<Node> {
        let kind = match &node.kind {
            Kind::Bare(value) => Kind::Bare(value.clone()),
            Kind::Text { text, quoting } => Kind::Text {
                text: text.clone(),
                quoting: *quoting,
            },
            Kind::List(items) => Kind::List(items.iter().map(|item| self.moved(item)).collect()),
            Kind::Map(members) => Kind::Map(
                members
                    .iter()
                    .map(|member| Member {
                        key: member.key.clone(),
                        key_span: self.span(&member.key_span),
                        value: self.moved(&member.value),
                    })
                    .collect(),
            ),
        };
        Rc::new(Node {
            span: self.span(&node.span),
            kind,
        })
    }
}

/// A text as it is written in the file.
struct Written<'f> {
    rest: &'f str,
    at: usize,
    quoting: Quoting,
}

impl Written<'_> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.at += bytes;
    }

    /// The quote, or a block scalar's first line (`|2-`).
    fn skip_opening(&mut self) {
        match self.quoting {
            Quoting::Single | Quoting::Double => self.skip(1),
            Quoting::Block if self.rest.starts_with(['|', '>']) => {
                self.skip(self.rest.find('\n').map_or(0, |line| line + 1));
            }
            Quoting::Block | Quoting::Plain => {}
        }
    }

    /// The place of the next character, which must be `wanted`.
    fn find(&mut self, wanted: char) -> Option<Span> {
        loop {
            let first = self.rest.chars().next()?;
            if first == '\\' && self.quoting == Quoting::Double {
                let (meant, length) = escape(self.rest)?;
                let start = self.at;
                self.skip(length);
                match meant {
                    Some(meant) if meant == wanted => return Some(start..self.at),
                    Some(meant) if !meant.is_whitespace() => return None,
                    _ => continue,
                }
            }
            if first.is_whitespace() {
                self.skip(first.len_utf8());
                continue;
            }
            if first != wanted {
                return None;
            }
            let start = self.at;
            let doubled = first == '\'' && self.quoting == Quoting::Single;
            self.skip(first.len_utf8() + usize::from(doubled));
            return Some(start..self.at);
        }
    }
}

/// The character that an escape of JSON or YAML stands for, if it is one that matters here, and its length.
fn escape(text: &str) -> Option<(Option<char>, usize)> {
    let kind = text.chars().nth(1)?;
    let hex = |digits: usize| {
        let code = text.get(2..2 + digits)?;
        u32::from_str_radix(code, 16).ok()
    };
    Some(match kind {
        '"' | '\\' | '/' => (Some(kind), 2),
        'x' => (char::from_u32(hex(2)?), 4),
        'u' => match hex(4)? {
            high @ 0xd800..0xdc00 => {
                let low = u32::from_str_radix(text.get(8..12)?, 16).ok()?;
                let code = 0x1_0000 + ((high - 0xd800) << 10) + low.checked_sub(0xdc00)?;
                (char::from_u32(code), 12)
            }
            code => (char::from_u32(code), 6),
        },
        'U' => (char::from_u32(hex(8)?), 10),
        _ => (None, 1 + kind.len_utf8()),
    })
}
