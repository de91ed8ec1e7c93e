//! Which claim a condition looks at.

use crate::token::Claims;
use serde_json::Value;
use std::fmt;

/// A claim's name: whole, with all its dots, slashes and colons; or, if it begins with `/`, a JSON Pointer
/// (RFC 6901) to what stands within a claim. A name that itself begins with `/` is written `/~1name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimName {
    written: String,
    /// The claim's name, where it is another than what is written.
    top: Option<String>,
    below: Vec<String>,
}

impl ClaimName {
    /// Reads a name as policies write it.
    ///
    /// # Errors
    /// When it begins with `/` and is no JSON Pointer.
    pub fn parse(written: &str) -> Result<Self, String> {
        Self::read(written.into()).map_err(|(_, message)| message)
    }

    /// As [`Self::parse`], of a text that it keeps. An error gives it back.
    pub(super) fn read(written: String) -> Result<Self, (String, String)> {
        let Some(pointer) = written.strip_prefix('/') else {
            return Ok(Self {
                written,
                top: None,
                below: Vec::new(),
            });
        };
        let mut parts = pointer.split('/').map(unescape);
        let (Some(top), Some(below)) = (parts.next().flatten(), parts.collect::<Option<Vec<_>>>())
        else {
            let message = format!(
                "{written:?} begins with \"/\", so it is read as a JSON Pointer, in which \"~\" is written ~0 and \"/\" within a name ~1"
            );
            return Err((written, message));
        };
        Ok(Self {
            top: Some(top),
            below,
            written,
        })
    }

    /// The claim of this whole name.
    #[must_use]
    pub fn whole(name: &str) -> Self {
        Self {
            written: name.into(),
            top: None,
            below: Vec::new(),
        }
    }

    /// The value, unless it is missing or null.
    #[must_use]
    pub fn find<'c>(&self, claims: &'c Claims) -> Option<&'c Value> {
        let claim = claims.get(self.claim())?;
        self.below
            .iter()
            .try_fold(claim, |value, name| match value {
                Value::Object(members) => members.get(name),
                Value::Array(items) => items.get(place(name)?),
                _ => None,
            })
            .filter(|value| !value.is_null())
    }

    /// The name of the claim in which the value stands.
    #[must_use]
    pub fn claim(&self) -> &str {
        self.top.as_deref().unwrap_or(&self.written)
    }

    /// Whether this is the claim itself, not something within it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.below.is_empty()
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for ClaimName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// RFC 6901, section 4.
fn unescape(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let rest = match piece.split_at_checked(1) {
            Some(("0", rest)) => {
                text.push('~');
                rest
            }
            Some(("1", rest)) => {
                text.push('/');
                rest
            }
            _ => return None,
        };
        text.push_str(rest);
    }
    Some(text)
}

/// An array index: digits without leading zeros.
fn place(name: &str) -> Option<usize> {
    let is_index = name == "0" || !name.starts_with('0');
    let is_digits = name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| is_index && is_digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_whole_and_pointers_lead_below() {
        let claims = json!({
            "a.b/c:d": 1, "/x": 2, "~": 3, "": 4, "o": { "p/q": { "~r": 5 }, "n": null, "": 6 }, "l": [7, [8], { "m": 9 }],
        });
        let claims = Claims::new(claims.as_object().unwrap().clone());
        for (written, expected) in [
            ("a.b/c:d", Some(1)),
            ("~", Some(3)),
            ("/a.b~1c:d", Some(1)),
            ("/~1x", Some(2)),
            ("/~0", Some(3)),
            ("", Some(4)),
            ("/", Some(4)),
            ("/o/p~1q/~0r", Some(5)),
            ("/o/", Some(6)),
            ("/o/n", None),
            ("/o/n/x", None),
            ("/o/p", None),
            ("o/p", None),
            ("/l/0", Some(7)),
            ("/l/1/0", Some(8)),
            ("/l/2/m", Some(9)),
            ("/l/00", None),
            ("/l/+0", None),
            ("/l/-", None),
            ("/l/3", None),
            ("/l/0/x", None),
            ("/nothing", None),
        ] {
            let name = ClaimName::parse(written).unwrap();
            assert_eq!(
                name.find(&claims).and_then(Value::as_i64),
                expected,
                "{written}"
            );
            assert_eq!(name.as_str(), written);
        }
        for wrong in ["/~", "/a/~2", "/~1/b~"] {
            assert!(ClaimName::parse(wrong).is_err(), "{wrong}");
        }
        assert!(ClaimName::parse("/a").unwrap().is_whole());
        assert!(!ClaimName::parse("/a/b").unwrap().is_whole());
    }
}
