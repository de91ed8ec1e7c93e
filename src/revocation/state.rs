//! What is revoked at the moment: the policy's own entries, and those of the document that was fetched last.

use super::RevocationList;
use crate::fetch::{HttpUri, Polling};
use crate::policy::Issuer;
use crate::reason::{Reason, Refusal};
use crate::time::UnixTime;
use crate::token::Marks;

/// The part of a policy that says what is revoked.
#[derive(Debug, Clone, Default)]
pub struct RevocationPolicy {
    /// The policy's own entries.
    pub entries: RevocationList,
    /// The document that is fetched, if one is.
    pub source: Option<RevocationSource>,
}

/// A document of revocations that is fetched again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationSource {
    /// Its address.
    pub uri: HttpUri,
    /// How often and how: `refresh` is the interval, `max_stale` the age up to which a document counts.
    pub polling: Polling,
    /// What becomes of requests while none counts.
    pub unavailable: WhenUnavailable,
}

/// What becomes of requests while it is not known what is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// They are refused.
    Deny,
    /// They pass, but for what the last document revoked, however old it is.
    Allow,
}

impl RevocationPolicy {
    /// Whether a token of this issuer is not revoked. `fetched` is the document that was fetched last, if
    /// one was, and `counts` says whether it is young enough.
    ///
    /// # Errors
    /// `revoked`; or `revocations_unavailable` where the policy wants a document, none counts, and it says
    /// `deny`.
    pub fn check<'t>(
        &self,
        fetched: Option<&RevocationList>,
        counts: bool,
        token: impl Into<Marks<'t>>,
        issuer: &Issuer,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let token = token.into();
        refuse_covered("the policy", &self.entries, token, issuer, now)?;
        let Some(source) = &self.source else {
            return Ok(());
        };
        // What was revoked once stays so, however old the news is.
        if let Some(list) = fetched {
            refuse_covered("the document", list, token, issuer, now)?;
        }
        match (fetched, source.unavailable) {
            (Some(_), _) if counts => Ok(()),
            (_, WhenUnavailable::Allow) => Ok(()),
            (None, WhenUnavailable::Deny) => Err(Refusal::new(
                Reason::RevocationsUnavailable,
                "no list of revocations has been fetched yet",
            )),
            (Some(_), WhenUnavailable::Deny) => Err(Refusal::new(
                Reason::RevocationsUnavailable,
                "the last list of revocations that was fetched is too old",
            )),
        }
    }
}

fn refuse_covered(
    of: &str,
    list: &RevocationList,
    token: Marks<'_>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<(), Refusal> {
    let Some((place, entry)) = list.find(token, issuer, now) else {
        return Ok(());
    };
    let detail = match entry.note() {
        Some(note) => format!("revocations[{place}] of {of} revokes it: {note}"),
        None => format!("revocations[{place}] of {of} revokes it"),
    };
    Err(Refusal::new(Reason::Revoked, detail))
}
