//! Values and checks in words.

use super::times;
use jobgate::policy::Issuer;
use jobgate::time::UnixTime;
use jobgate::token::{Check, Finding, Jws};
use serde_json::Value;
use std::time::Duration;

/// Text without what terminals obey or readers can't see: claims are whatever their sender wrote.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let steers = character.is_control()
            // What turns the direction of text, joins or hides.
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            // What no XML may hold.
            || matches!(character, '\u{fffe}' | '\u{ffff}');
        if steers {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// A claim's value in JSON, shortened if it is long.
pub(super) fn value(value: Option<&Value>) -> String {
    const MOST: usize = 200;
    let Some(value) = value else {
        return "missing".into();
    };
    let text = printable(&value.to_string());
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A number of things.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// A span, in the two largest units that it has.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, 0) => format!("{minutes}m"),
        (0, 0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (0, hours, 0, _) => format!("{hours}h"),
        (0, hours, minutes, _) => format!("{hours}h {minutes}m"),
        (days, 0, ..) => format!("{days}d"),
        (days, hours, ..) => format!("{days}d {hours}h"),
    }
}

/// What a check of a token looked at.
pub(super) fn check(
    check: Check,
    finding: &Finding,
    jws: &Jws<'_>,
    issuer: Option<&Issuer>,
    now: UnixTime,
) -> String {
    let claims = jws.claims();
    let claim = |name| value(claims.get(name));
    match check {
        Check::Issuer => format!("iss is {}", claim("iss")),
        Check::Algorithm => format!("alg is {}", printable(&jws.header().alg)),
        Check::Types => "sub, jti, nonce, nbf, iat".into(),
        Check::Audience => match (finding, issuer) {
            (Finding::Fails(_), Some(issuer)) => format!(
                "aud is {}, and must name {}",
                claim("aud"),
                issuer.audiences.join(" or ")
            ),
            _ => format!("aud is {}", claim("aud")),
        },
        Check::Times => match times(claims) {
            None => format!(
                "exp is {}, iat is {}, nbf is {}",
                claim("exp"),
                claim("iat"),
                claim("nbf")
            ),
            Some(times) => {
                let lifetime = span(times.expires().since(times.start()));
                if times.expires() > now {
                    let left = span(times.expires().since(now));
                    format!("expires in {left}, of a lifetime of {lifetime}")
                } else {
                    let past = span(now.since(times.expires()));
                    format!("expired {past} ago, after a lifetime of {lifetime}")
                }
            }
        },
        Check::Signature => {
            let kid = match &jws.header().kid {
                Some(kid) => format!("kid is {}", printable(&format!("{kid:?}"))),
                None => "no kid".into(),
            };
            match finding {
                Finding::NotMade => format!("not checked, {kid}"),
                _ => kid,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_obey_is_written_out() {
        assert_eq!(
            printable("a\u{1b}[31m\u{9b}2J\u{202e}é"),
            "a\\u{1b}[31m\\u{9b}2J\\u{202e}é"
        );
        assert_eq!(value(Some(&Value::from("a\u{9b}\n"))), "\"a\\u{9b}\\n\"");
        assert_eq!(
            value(Some(&Value::from("x".repeat(300)))).chars().count(),
            201
        );
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (272, "4m 32s"),
            (3_600, "1h"),
            (5_430, "1h 30m"),
            (86_400, "1d"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
