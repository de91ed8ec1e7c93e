//! A call that ended a session, in words: for the auditor, and for who runs the document of revocations.

use super::line::Line;
use super::record::{PART, VALUE};
use crate::gate::{Call, Decision, Over, What};
use crate::hex::hex;
use serde_json::Value;
use std::time::Duration;

/// The event of the records of such calls. No policy says who may make them, and whoever learns from records must not.
pub(super) const EVENT: &str = "jobgate.session";

/// Adds to a record what a call ended; `who` says whether the record has said who the job is.
#[inline(never)]
pub(super) fn add(line: &mut Line, decision: &Decision<'_>, call: &Call, is_told: bool) {
    line.word("way", call.way.name());
    let Some(over) = call.over() else { return };
    if let (What::Job(_, job), false) = (&over.what, is_told) {
        line.clipped("issuer", issuer_of(decision, over), VALUE);
        let mut identity = Line::default();
        identity.clipped("job", job, PART);
        line.object("identity", &identity);
    }
    line.number("expires", seconds(over));
    // Sessions that ended before are forgotten.
    line.flag("record_full", over.has_dropped);
}

/// The answer to a call that was taken: what to add to the document of revocations, so that all gateways know.
#[inline(never)]
pub(super) fn answer(decision: &Decision<'_>, call: &Call) -> Line {
    let mut body = Line::default();
    if let Some(over) = call.over() {
        let mut entry = Line::default();
        entry.text("issuer", issuer_of(decision, over));
        match &over.what {
            What::Job(claim, job) => {
                let mut claims = Line::default();
                claims.value(claim, &Value::from(job.as_str()));
                entry.object("claims", &claims);
            }
            What::Token(digest) => entry.word("token_sha256", &hex(digest)),
        }
        entry.number("expires", seconds(over));
        entry.word("note", "the session was ended");
        body.object("revocation", &entry);
    }
    body
}

fn issuer_of<'p>(decision: &Decision<'p>, over: &Over) -> &'p str {
    let issuers = decision.policy.map(|policy| &policy.issuers);
    let issuer = issuers.and_then(|issuers| issuers.get(over.issuer));
    issuer.map_or("", |issuer| &issuer.issuer)
}

/// In whole seconds, rounded up.
fn seconds(over: &Over) -> u64 {
    const ALMOST_ONE: Duration = Duration::from_nanos(999_999_999);
    over.expires.plus(ALMOST_ONE).as_secs()
}
