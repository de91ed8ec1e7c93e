//! A list of revocations, laid out so that ten thousand cost a request no more than one.

use super::entry::{EntryError, Revocation, texts};
use crate::json;
use crate::policy::Issuer;
use crate::time::UnixTime;
use crate::token::{Digest, Marks};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

/// The largest document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// The most entries of a list.
pub const MAX_ENTRIES: usize = 10_000;

/// Entries, each found by that one of its conditions which the fewest entries have in common.
#[derive(Debug, Clone, Default)]
pub struct RevocationList {
    entries: Vec<Revocation>,
    by_token: HashMap<Digest, Vec<usize>>,
    by_kid: HashMap<String, Vec<usize>>,
    by_claim: HashMap<String, HashMap<String, Vec<usize>>>,
}

/// Why a document gives no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationsError {
    /// It is larger than [`MAX_DOCUMENT_BYTES`].
    TooLarge(usize),
    /// It is not JSON that can be read in one way only.
    NotJson,
    /// It is not an object whose one member is the array `revocations`.
    NoList,
    /// It has more than [`MAX_ENTRIES`] entries.
    TooMany(usize),
    /// The entry at this place is wrong, so the list as a whole is not used.
    Entry(usize, EntryError),
}

impl fmt::Display for RevocationsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(
                f,
                "the document has {bytes} bytes; at most {MAX_DOCUMENT_BYTES} are read"
            ),
            Self::NotJson => {
                f.write_str("the document is not JSON that can be read in one way only")
            }
            Self::NoList => f.write_str(
                "the document is not an object whose one member is the array `revocations`",
            ),
            Self::TooMany(entries) => {
                write!(
                    f,
                    "it has {entries} entries; at most {MAX_ENTRIES} are read"
                )
            }
            Self::Entry(place, error) if error.member.is_some() => {
                write!(f, "revocations[{place}].{error}")
            }
            Self::Entry(place, error) => write!(f, "revocations[{place}] {error}"),
        }
    }
}

/// A condition by which an entry can be found.
#[derive(PartialEq, Eq, Hash)]
enum Handle<'a> {
    Token(&'a Digest),
    Kid(&'a str),
    Claim(&'a str, &'a str),
}

fn handles(entry: &Revocation) -> impl Iterator<Item = Handle<'_>> {
    let token = entry.token.as_ref().map(Handle::Token);
    let kid = entry.kid.as_deref().map(Handle::Kid);
    let claims = entry
        .claims
        .iter()
        .map(|(name, value)| Handle::Claim(name, value));
    token.into_iter().chain(kid).chain(claims)
}

impl RevocationList {
    /// Parses a document: `{"revocations": [entry, ...]}`.
    ///
    /// # Errors
    /// When it is too large or malformed anywhere. None of it is used then.
    pub fn parse(document: &[u8]) -> Result<Self, RevocationsError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(RevocationsError::TooLarge(document.len()));
        }
        let document = json::parse(document).map_err(|_| RevocationsError::NotJson)?;
        let entries = match &document {
            Value::Object(members) if members.len() == 1 => members.get("revocations"),
            _ => None,
        };
        let entries = entries
            .and_then(Value::as_array)
            .ok_or(RevocationsError::NoList)?;
        if entries.len() > MAX_ENTRIES {
            return Err(RevocationsError::TooMany(entries.len()));
        }
        (0..)
            .zip(entries)
            .map(|(place, entry)| {
                Revocation::parse(entry).map_err(|error| RevocationsError::Entry(place, error))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self::new)
    }

    /// A list of these entries.
    #[must_use]
    pub fn new(entries: Vec<Revocation>) -> Self {
        let mut list = Self::default();
        let mut counts: HashMap<Handle<'_>, usize> = HashMap::new();
        for handle in entries.iter().flat_map(handles) {
            let count = counts.entry(handle).or_default();
            *count = count.saturating_add(1);
        }
        for (place, entry) in entries.iter().enumerate() {
            let rarest = handles(entry).min_by_key(|handle| counts.get(handle).copied());
            let places = match rarest {
                Some(Handle::Token(digest)) => list.by_token.entry(*digest).or_default(),
                Some(Handle::Kid(kid)) => list.by_kid.entry(kid.to_owned()).or_default(),
                Some(Handle::Claim(name, value)) => list
                    .by_claim
                    .entry(name.to_owned())
                    .or_default()
                    .entry(value.to_owned())
                    .or_default(),
                // Every entry has a condition on the token.
                None => continue,
            };
            places.push(place);
        }
        drop(counts);
        list.entries = entries;
        list
    }

    /// The most entries that are found by the same condition.
    #[cfg(test)]
    pub(super) fn longest_look_up(&self) -> usize {
        let claims = self.by_claim.values().flat_map(HashMap::values);
        let all = self.by_token.values().chain(self.by_kid.values());
        all.chain(claims).map(Vec::len).max().unwrap_or_default()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first entry that covers a token of this issuer, and its place in the list.
    #[must_use]
    pub fn find<'t>(
        &self,
        token: impl Into<Marks<'t>>,
        issuer: &Issuer,
        now: UnixTime,
    ) -> Option<(usize, &Revocation)> {
        let token = token.into();
        let mut first: Option<(usize, &Revocation)> = None;
        let mut look_at = |places: Option<&Vec<usize>>| {
            for place in places.into_iter().flatten() {
                if first.is_some_and(|(found, _)| found <= *place) {
                    // Places are in order: the rest lies further back.
                    return;
                }
                if let Some(entry) = self.entries.get(*place)
                    && entry.covers(&token, issuer, now)
                {
                    first = Some((*place, entry));
                }
            }
        };
        // A digest takes longer than all else that is looked up here.
        if !self.by_token.is_empty() {
            for digest in token.digests().iter().flatten() {
                look_at(self.by_token.get(*digest));
            }
        }
        look_at(token.kid.and_then(|kid| self.by_kid.get(kid)));
        if !self.by_claim.is_empty() {
            for (name, claim) in token.claims.iter() {
                if let Some(values) = self.by_claim.get(name) {
                    for text in texts(claim) {
                        look_at(values.get(&*text));
                    }
                }
            }
        }
        first
    }
}
