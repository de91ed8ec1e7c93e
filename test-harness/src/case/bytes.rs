//! Bytes that are written as text.

use serde::{Deserialize, Deserializer, de};

/// Any bytes, written as a string in which `\xNN` is a byte and `\\` a backslash.
///
/// In YAML such a string must be plain or in single quotes: in double quotes YAML has escapes of its own, and its
/// `\xNN` is a code point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    fn parse(text: &str) -> Result<Self, String> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, escape)) = rest.split_once('\\') {
            bytes.extend(before.as_bytes());
            rest = if let Some(after) = escape.strip_prefix('\\') {
                bytes.push(b'\\');
                after
            } else {
                let byte = escape
                    .strip_prefix('x')
                    .and_then(|hex| hex.get(..2))
                    .filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                    .ok_or_else(|| {
                        format!(r"`{text}`: a backslash must be written as `\\`, a byte as `\xNN`")
                    })?;
                bytes.push(byte);
                &escape[3..]
            };
        }
        bytes.extend(rest.as_bytes());
        Ok(Self(bytes))
    }

    pub(super) fn contains(&self, needle: &[u8]) -> bool {
        self.0.windows(needle.len()).any(|window| window == needle)
    }

    /// The bytes with `with` in place of every `needle`.
    pub(super) fn replace(&self, needle: &[u8], with: &[u8]) -> Vec<u8> {
        let mut replaced = Vec::with_capacity(self.0.len());
        let mut rest = self.0.as_slice();
        while let Some(at) = rest
            .windows(needle.len())
            .position(|window| window == needle)
        {
            replaced.extend(&rest[..at]);
            replaced.extend(with);
            rest = &rest[at + needle.len()..];
        }
        replaced.extend(rest);
        replaced
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(
            Bytes::parse(r"caf\xe9\\\x00é").unwrap().0,
            b"caf\xe9\\\x00\xc3\xa9"
        );
    }

    #[test]
    fn a_lone_backslash_is_refused() {
        for text in [r"a\", r"\n", r"\x", r"\x4", r"\xg0", r"\x+1", r"\xé"] {
            assert!(Bytes::parse(text).is_err(), "{text}");
        }
    }
}
