//! Single use: a token that a rule lets through once.
//!
//! What was used is recorded in the host's [shared data](crate::shared_data), which has no expiry and may
//! drop values. So the record is a fixed number of [pages](page), each of which forgets what no clock will
//! accept any more, and says since when it is complete. A token passes only if the record can show that it
//! was not used; whatever it can't tell is refused.
//!
//! **What is recorded.** Rule, issuer and `jti`, or where the token has none the digest of what was signed:
//! of an ECDSA signature anybody can make a second one that is as good, so the whole token's digest would
//! take one token for two. The rule's id is part of it, so that a token serves once for each of a job's
//! steps; routes whose rules have the same id share one record.
//!
//! **Two at once.** A page is changed by compare-and-swap alone ([`update`]). Of two workers with
//! the same token one writes first; the other's write is a conflict, and on reading again it finds the
//! token used. Nothing counts as claimed before the write succeeded, and a write of which the host says
//! neither yes nor no has not.
//!
//! **A page that is new.** After a restart, or when a full store dropped it, what a page said is gone. A
//! new page says since when it is complete, and a token that may have been used before that is refused. A
//! token that was used had been issued by then. So its `iat` (or else `nbf`) was not later than that moment
//! by the issuer's clock, which is at most `leeway` ahead of the gateway's, or else the gateway accepts none
//! of its fresh tokens. What remains are tokens whose `iat` is at least `leeway` after the page's beginning.
//! This holds however wrong the clock was before, if it was right to within `leeway` when the page was made.
//! The price: after a start, tokens serve that are issued [`SLACK`] and `leeway` later or after that.
//!
//! **Two that make the same page.** On Envoy the second write goes over the first blindly, with all that was
//! claimed in between. Nothing can have been: a page begins [`SLACK`] after it was made, so a token that it
//! lets claim was not accepted by any clock before then (it would have been `token_not_yet_valid`), and who
//! makes a page has read that there is none and writes in one callback, without waiting for anything.
//!
//! **A clock that goes wrong later.** An entry is forgotten once its token has expired, [`MAX_LEEWAY`] after
//! `exp`, whatever leeway the policy has at the moment: it may be raised. If the clock went ahead, entries
//! were forgotten early. So a page also says up to which expiry it may have forgotten entries, and a token
//! that expires by then is refused: that is none, as long as the clock goes forward.
//!
//! **Where it ends.** Kong numbers the writes of a value anew after it was dropped. Should it drop a page, and a
//! worker make it again, between another worker's reading and writing, then that write may pass for one of the
//! new page, and a token used in just that moment be used twice. What was used last is dropped last, so this
//! takes a zone that is emptied in microseconds; keep it large enough. The record is one gateway process's: several gateways, or an old and a new process
//! during a hot restart, each let a token through once. In Envoy gates share a record if they have the same
//! `vm_id`.

pub mod page;

use crate::policy::Issuer;
use crate::reason::{Reason, Refusal};
use crate::sha256::Hash;
use crate::shared_data::{Failed, SetError, SharedData, UpdateError, update};
use crate::time::UnixTime;
use crate::token::{MAX_LEEWAY, VerifiedToken};
use page::{Key, Page};
use serde_json::Value;
use std::time::Duration;

/// How many pages the record has. Each takes [`page::BYTES`] of the host's store.
pub const PAGES: u8 = 64;

/// How long after it was made a page begins, which is longer than the callback that makes it takes.
pub const SLACK: Duration = Duration::from_secs(5);

/// The key of a page in the host's store. It names the version of the format.
fn page_key(page: u8) -> String {
    format!("jobgate/1/replay/{page}")
}

/// What is claimed: one use of a token for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    page: u8,
    key: Key,
    expires: UnixTime,
    start: UnixTime,
    leeway: Duration,
}

impl Claim {
    /// The use of a token of this issuer for the rule of this id.
    #[must_use]
    pub fn new(rule: &str, token: &VerifiedToken, issuer: &Issuer) -> Self {
        let mut hash = Hash::new();
        let mut part = |bytes: &[u8]| {
            // Each with its length, so that no two lists of parts read the same.
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        part(b"jobgate replay");
        part(rule.as_bytes());
        part(issuer.issuer.as_bytes());
        match token.claims().get("jti") {
            Some(Value::String(jti)) if !jti.is_empty() => {
                part(b"jti");
                part(jti.as_bytes());
            }
            _ => {
                part(b"signed");
                part(token.signed_digest());
            }
        }
        let digest = hash.finalize();
        let mut key = Key::default();
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let times = token.times();
        Self {
            // The last byte is not part of the key.
            page: digest.last().map_or(0, |byte| byte % PAGES),
            key,
            expires: times.expires().plus(MAX_LEEWAY),
            start: times.start(),
            leeway: issuer.leeway,
        }
    }
}

/// The page with a claim on it.
///
/// # Errors
/// `replayed` if it was claimed before; `replay_unavailable` if that can't be told, or there is no room.
fn try_claim(page: &[u8], claim: &Claim, now: UnixTime) -> Result<Vec<u8>, Refusal> {
    let mut page = Page::decode(page)
        .ok_or_else(|| unavailable("a page of the record of used tokens can't be read"))?;
    page.forget_expired(now);
    if page.holds(&claim.key) {
        let detail = "the token was used before, for the same rule, which lets it through once";
        return Err(Refusal::new(Reason::Replayed, detail));
    }
    if page.begins() > claim.start_by_our_clock() {
        let detail = format!(
            "the token may have been used before the record of used tokens begins; one issued {} s later cannot",
            page.begins()
                .since(claim.start_by_our_clock())
                .as_secs()
                .saturating_add(1)
        );
        return Err(unavailable(detail));
    }
    if page.may_have_forgotten(claim.expires) {
        return Err(unavailable(
            "the gateway's clock went back, so the record of used tokens may have forgotten this one",
        ));
    }
    page.add(claim.key, claim.expires)
        .map_err(|page::Full| unavailable("the record of used tokens is full"))?;
    Ok(page.encode())
}

impl Claim {
    /// The earliest moment, by the gateway's clock, at which the token can have been used.
    fn start_by_our_clock(&self) -> UnixTime {
        self.start.minus(self.leeway)
    }
}

/// Claims the use of a token, once for all workers.
///
/// # Errors
/// `replayed` if it was claimed before, `replay_unavailable` if that can't be told.
pub fn claim(data: &dyn SharedData, claim: &Claim, now: UnixTime) -> Result<(), Refusal> {
    let outcome = update(data, &page_key(claim.page), |page| {
        try_claim(page, claim, now)
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(UpdateError::Refused(refusal)) => {
            if refusal.reason == Reason::ReplayUnavailable {
                // It may be that something else stands in the page's place: then it is made anew. One that can be
                // read stays as it is.
                _ = ensure_page(data, claim.page, now);
            }
            Err(refusal)
        }
        Err(UpdateError::Absent) => {
            // A store that was full dropped it, or nobody made it yet. It is of use to later tokens.
            ensure_page(data, claim.page, now).map_err(|failed| unavailable(failed.to_string()))?;
            Err(unavailable("the record of used tokens begins only now"))
        }
        Err(UpdateError::Contended) => Err(unavailable(
            "other workers kept changing the record of used tokens",
        )),
        Err(UpdateError::Failed(failed)) => Err(unavailable(failed.to_string())),
    }
}

/// Makes the pages that are missing or can't be read: once when the gateway starts, so that the record
/// begins then and not with the first token.
///
/// # Errors
/// When the host's store fails; then no token passes a rule that lets it through once.
pub fn ensure_pages(data: &dyn SharedData, now: UnixTime) -> Result<(), Failed> {
    (0..PAGES).try_for_each(|page| ensure_page(data, page, now))
}

fn ensure_page(data: &dyn SharedData, page: u8, now: UnixTime) -> Result<(), Failed> {
    let key = page_key(page);
    let (value, cas) = data.get(&key)?;
    let cas = match value {
        Some(value) if Page::decode(&value).is_some() => return Ok(()),
        // Something else stands there: it is replaced, unless somebody was faster.
        Some(_) => Some(cas.ok_or_else(|| Failed("it did not tell the value's number".into()))?),
        None => None,
    };
    let fresh = Page::beginning(now.plus(SLACK)).encode();
    match data.set(&key, &fresh, cas) {
        // On a conflict somebody else made it.
        Ok(()) | Err(SetError::Conflict) => Ok(()),
        Err(SetError::Failed(failed)) => Err(failed),
    }
}

fn unavailable(detail: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::ReplayUnavailable, detail)
}

#[cfg(test)]
mod tests;
