//! A compact token's text, and its digests.

use super::Digest;
use crate::sha256::Hash;
use std::cell::OnceCell;

/// A compact token as it was sent, which is hashed once at most however many ask.
#[derive(Debug, Clone)]
pub(super) struct Compact<'a> {
    text: &'a str,
    digests: OnceCell<Digests>,
}

/// The two digests by which a token can be named.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digests {
    /// SHA-256 of the whole.
    pub(super) whole: Digest,
    /// SHA-256 of what was signed.
    pub(super) signed: Digest,
}

impl<'a> Compact<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            digests: OnceCell::new(),
        }
    }

    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    /// What was signed: the encoded header and payload with the dot between them (RFC 7515, section 5.2).
    #[inline]
    pub(super) fn signing_input(&self) -> &'a [u8] {
        self.text
            .rsplit_once('.')
            .map_or(&[], |(signed, _)| signed.as_bytes())
    }

    /// SHA-256 of the whole.
    pub(super) fn digest(&self) -> &Digest {
        &self.digests().whole
    }

    /// The digests, if anybody has asked for them.
    pub(super) fn known_digests(&self) -> OnceCell<Digests> {
        self.digests.clone()
    }

    /// Both in one pass: the whole begins with what was signed.
    pub(super) fn digests(&self) -> &Digests {
        self.digests.get_or_init(|| {
            let (signed, bytes) = (self.signing_input(), self.text.as_bytes());
            let mut hash = Hash::new();
            hash.update(signed);
            let signed_digest = hash.clone().finalize();
            hash.update(bytes.get(signed.len()..).unwrap_or_default());
            Digests {
                whole: hash.finalize(),
                signed: signed_digest,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_digests_are_those_of_the_bytes() {
        let long = format!(
            "{}.{}.{}",
            "a".repeat(90),
            "b".repeat(1500),
            "c".repeat(342)
        );
        for text in ["", ".", "..", "a.b.c", "no dot", "a.b.", &long] {
            let compact = Compact::new(text);
            assert_eq!(*compact.digest(), Hash::hash(text.as_bytes()), "{text}");
            let signed = text.rsplit_once('.').map_or("", |(signed, _)| signed);
            assert_eq!(
                compact.digests().signed,
                Hash::hash(signed.as_bytes()),
                "{text}"
            );
        }
    }
}
