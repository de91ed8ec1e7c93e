//! Buildkite's webhook: what it signs, and what it says.
//!
//! The header `X-Buildkite-Signature` is `timestamp=SECONDS,signature=HEX`: HMAC-SHA-256 of the timestamp, a dot and the
//! body, under the webhook's token. A call counts for [`WINDOW`] around its timestamp, so that a recorded one ends nothing
//! later; within it ending twice is as good as once.

use super::Secret;
use crate::hex::unhex;
use crate::json;
use crate::reason::{Reason, Refusal};
use crate::request::HeaderMap;
use crate::time::UnixTime;
use serde_json::Value;
use std::time::Duration;

/// The header of the signature.
pub const SIGNATURE: &str = "x-buildkite-signature";

/// The header that names the event, which is not signed: the body says it too.
pub const EVENT: &str = "x-buildkite-event";

/// The largest body, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// How old a call may be by the gateway's clock, and how far ahead of it.
pub const WINDOW: Duration = Duration::from_secs(300);

/// What a call says that it is signed with, of a time that counts. It proves nothing before
/// [`verify`](Self::verify).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `SECONDS,signature=HEX`, and where the comma is.
    text: String,
    comma: usize,
}

impl Signature {
    /// Reads the signature of a call.
    ///
    /// # Errors
    /// `webhook_signature_invalid` if there is none, if it is not of this form, or of another time.
    pub fn read(headers: &HeaderMap, now: UnixTime) -> Result<Self, Refusal> {
        let read = headers.get(SIGNATURE).and_then(|value| {
            let text = str::from_utf8(value).ok()?.strip_prefix("timestamp=")?;
            let comma = text.bytes().position(|byte| !byte.is_ascii_digit())?;
            let at: u64 = text.get(..comma)?.parse().ok()?;
            Some((UnixTime::from_secs(at), text.to_owned(), comma))
        });
        let (at, text, comma) = read.ok_or_else(|| {
            invalid("it has no signature of the form timestamp=SECONDS,signature=HEX")
        })?;
        if at.since(now) > WINDOW || now.since(at) > WINDOW {
            return Err(invalid(
                "it was signed more than five minutes before or after now",
            ));
        }
        Ok(Self { text, comma })
    }

    /// Whether the body is signed with the secret.
    ///
    /// # Errors
    /// `webhook_signature_invalid` if not.
    pub fn verify(&self, secret: &Secret, body: &[u8]) -> Result<(), Refusal> {
        let is_signed = self
            .text
            .split_at_checked(self.comma)
            .and_then(|(timestamp, code)| {
                Some((timestamp, unhex(code.strip_prefix(",signature=")?)?))
            })
            .is_some_and(|(timestamp, code)| {
                let parts = [timestamp.as_bytes(), b".", body];
                jobgate_signing::mac::is_mac(secret.0.as_bytes(), &parts, &code)
            });
        if secret.0.is_empty() || !is_signed {
            return Err(invalid("it is not signed with the webhook's secret"));
        }
        Ok(())
    }
}

/// The id of the job that is over, by what a call's body says; none for an event of another kind.
///
/// # Errors
/// `webhook_malformed` for what is no event, or names no job that is over.
pub fn finished_job(body: &[u8]) -> Result<Option<String>, Refusal> {
    if body.len() > MAX_BODY {
        return Err(malformed("the body is too large"));
    }
    // The parser's words would quote it.
    let body = json::parse(body)
        .map_err(|_| malformed("the body is not JSON that can be read in one way only"))?;
    let event = body.get("event").and_then(Value::as_str);
    match event.ok_or_else(|| malformed("the body names no event"))? {
        "job.finished" => {}
        _ => return Ok(None),
    }
    let id = body.get("job").and_then(|job| job.get("id"));
    let id = id.and_then(Value::as_str).filter(|id| is_uuid(id));
    // As tokens have it.
    id.map(|id| Some(id.to_ascii_lowercase()))
        .ok_or_else(|| malformed("the body names no job by a UUID"))
}

/// In either case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && (0..).zip(text.bytes()).all(|(place, byte)| {
            if matches!(place, 8 | 13 | 18 | 23) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Reason::WebhookSignatureInvalid, detail)
}

/// The refusal of a call whose body is none of the CI's.
pub(crate) fn malformed(detail: &'static str) -> Refusal {
    Refusal::new(Reason::WebhookMalformed, detail)
}
