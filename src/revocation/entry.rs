//! One entry of a list of revocations.

use super::date;
use crate::base64url;
use crate::hex::unhex;
use crate::policy::Issuer;
use crate::sort::sort_by;
use crate::time::UnixTime;
use crate::token::{Digest, Marks, scalar_text};
use serde_json::{Map, Value};
use std::fmt;

/// The longest note, in bytes: it is for the decision record, which nginx cuts at 4096.
const MAX_NOTE: usize = 200;

/// What revokes tokens: conditions that must all hold, at least one on the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub(super) issuer: Option<String>,
    /// Sorted by name.
    pub(super) claims: Vec<(String, String)>,
    pub(super) kid: Option<String>,
    pub(super) token: Option<Digest>,
    expires: Option<UnixTime>,
    note: Option<String>,
}

/// What is wrong with an entry, without a word of what it holds: people paste tokens where their digests
/// belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryError {
    /// The member, if it is one: `claims.jti`.
    pub member: Option<String>,
    /// What is wrong and how to mend it.
    pub message: &'static str,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Some(member) => write!(f, "{member}: {}", self.message),
            None => f.write_str(self.message),
        }
    }
}

const fn whole(message: &'static str) -> EntryError {
    EntryError {
        member: None,
        message,
    }
}

fn at(member: impl Into<String>, message: &'static str) -> EntryError {
    EntryError {
        member: Some(member.into()),
        message,
    }
}

impl Revocation {
    /// Reads an entry as it is written, in the policy and in documents alike.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(entry: &Value) -> Result<Self, EntryError> {
        let Value::Object(members) = entry else {
            return Err(whole("is not an object"));
        };
        let mut read = Self {
            issuer: None,
            claims: Vec::new(),
            kid: None,
            token: None,
            expires: None,
            note: None,
        };
        for (name, value) in members {
            match name.as_str() {
                "issuer" => read.issuer = Some(text("issuer", value)?),
                "claims" => read.claims = claims(value)?,
                "kid" => read.kid = Some(text("kid", value)?),
                "token_sha256" => read.token = Some(digest(value)?),
                "expires" => read.expires = Some(expires(value)?),
                "note" => read.note = Some(note(value)?),
                _ => {
                    return Err(whole(
                        "has a member that is none of issuer, claims, kid, token_sha256, expires, note",
                    ));
                }
            }
        }
        if read.claims.is_empty() && read.kid.is_none() && read.token.is_none() {
            return Err(whole("names no token; write claims, kid or token_sha256"));
        }
        Ok(read)
    }

    /// The issuer whose tokens alone it covers, if it names one.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Why, for the record.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Whether it covers a token of this issuer.
    ///
    /// It does for the issuer's leeway after it ended: for so long a token is accepted that expires at the
    /// same moment. A token is named by its digest, or by that of what is signed: this one stays the same if
    /// somebody turns the signature into another that is as good.
    #[must_use]
    pub fn covers(&self, token: &Marks<'_>, issuer: &Issuer, now: UnixTime) -> bool {
        self.expires
            .is_none_or(|expires| now < expires.plus(issuer.leeway))
            && self
                .issuer
                .as_ref()
                .is_none_or(|name| *name == issuer.issuer)
            && self.kid.as_deref().is_none_or(|kid| token.kid == Some(kid))
            && self.token.as_ref().is_none_or(|digest| {
                token
                    .digests()
                    .is_some_and(|digests| digests.contains(&digest))
            })
            && self.claims.iter().all(|(name, wanted)| {
                token
                    .claims
                    .get(name)
                    .is_some_and(|claim| texts(claim).any(|text| *text == **wanted))
            })
    }
}

/// The texts of a claim, of which one must be the wanted one: as `equals` compares in rules.
pub(super) fn texts(claim: &Value) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    let items = match claim {
        Value::Array(items) => items.as_slice(),
        scalar => std::slice::from_ref(scalar),
    };
    items.iter().filter_map(scalar_text)
}

fn text(member: &'static str, value: &Value) -> Result<String, EntryError> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(at(member, "is not a text")),
    }
}

fn claims(value: &Value) -> Result<Vec<(String, String)>, EntryError> {
    let Value::Object(members) = value else {
        return Err(at("claims", "is not an object of claims and their values"));
    };
    if members.is_empty() {
        return Err(at(
            "claims",
            "is empty; name a claim, or leave it out and write kid or token_sha256",
        ));
    }
    let mut claims = sorted(members)?;
    sort_by(&mut claims, |a, b| a < b);
    Ok(claims)
}

fn sorted(members: &Map<String, Value>) -> Result<Vec<(String, String)>, EntryError> {
    members
        .iter()
        .map(|(name, value)| {
            let text = scalar_text(value).ok_or_else(|| {
                let message = "is not a text, a boolean or a number that can be compared exactly";
                // A name as long as a token is none that helps, and may be one.
                match name.len() {
                    ..=64 => at(format!("claims.{name}"), message),
                    _ => at("claims", "has a value that cannot be compared"),
                }
            })?;
            Ok((name.clone(), text.into_owned()))
        })
        .collect()
}

/// 64 digits in hex of either case, or 43 characters in base64url.
fn digest(value: &Value) -> Result<Digest, EntryError> {
    let error = || {
        at(
            "token_sha256",
            "is not a SHA-256 digest in hex or in unpadded base64url",
        )
    };
    let text = value.as_str().ok_or_else(error)?;
    let bytes = match text.len() {
        64 => unhex(text),
        _ => base64url::decode(text),
    };
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(error)
}

fn expires(value: &Value) -> Result<UnixTime, EntryError> {
    date::parse(value).ok_or_else(|| {
        at(
            "expires",
            "is no moment; write seconds since 1970, or UTC like \"2027-01-15T08:00:00Z\"",
        )
    })
}

fn note(value: &Value) -> Result<String, EntryError> {
    match value {
        Value::String(text) if text.len() <= MAX_NOTE => Ok(text.clone()),
        _ => Err(at("note", "is not a text of at most 200 bytes")),
    }
}
