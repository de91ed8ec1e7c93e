//! Finding the token: in the one header that the policy names, and nowhere else.

use crate::reason::{Reason, Refusal};
use crate::request::HeaderMap;

/// The header that carries the token, as the policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// The header's name in lower case.
    pub header: String,
    /// Whether the upstream gets it too.
    pub forward: bool,
}

const AUTHORIZATION: &str = "authorization";

/// What the policy's header carries in the place of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The header's value.
    value: &'a [u8],
    token: &'a [u8],
}

impl<'a> Carried<'a> {
    /// The bytes that stand where the token should.
    pub(super) const fn bytes(self) -> &'a [u8] {
        self.token
    }

    /// These as text, where they can be one token's. To ask that of each byte is dear, and told already of one that is
    /// known.
    ///
    /// # Errors
    /// `token_ambiguous` for what the host joined with a comma, `token_malformed` for bytes that no token has.
    pub fn text(self) -> Result<&'a str, Refusal> {
        match oddity(self.value) {
            Some(refusal) => Err(refusal),
            None => str::from_utf8(self.token).map_err(|_| not_text()),
        }
    }
}

/// Takes the compact token out of the request.
///
/// In `authorization` it stands behind the scheme `Bearer` (RFC 6750, section 2.1); in any other header
/// with the scheme or alone.
///
/// # Errors
/// `token_missing`, `token_ambiguous` when a second one is there (a repeated header, another spelling of the header's
/// name, `Authorization` beside the policy's own header, or the query's `access_token`); and as
/// [`Carried::text`], which must be asked unless it is known that the token is one.
pub fn extract<'a>(
    carrier: &Carrier,
    headers: &'a HeaderMap,
    query: Option<&[u8]>,
) -> Result<Carried<'a>, Refusal> {
    let mut places = headers.like(&carrier.header);
    let first = places.next().ok_or_else(|| {
        Refusal::new(
            Reason::TokenMissing,
            format!("no header {:?}", carrier.header),
        )
    })?;
    if places.next().is_some() {
        return Err(ambiguous("the token's header is there more than once"));
    }
    if first.name != carrier.header.as_bytes() {
        return Err(Refusal::new(
            Reason::TokenMissing,
            format!("the header is spelled otherwise than {:?}", carrier.header),
        ));
    }
    let value = first.value;
    // That the value is odd is what is said of it, whatever else is wrong.
    let refuse = |refusal| Err(oddity(value).unwrap_or(refusal));
    let missing = |detail| Refusal::new(Reason::TokenMissing, detail);
    let trimmed = trimmed(value);
    let is_authorization = carrier.header == AUTHORIZATION;
    let token = match after_bearer(trimmed) {
        Some(token) => token,
        None if is_authorization => {
            return refuse(missing("the authorization header's scheme is not Bearer"));
        }
        None => trimmed,
    };
    if token.is_empty() {
        return refuse(missing("the token is empty"));
    }
    if !is_authorization
        && headers
            .like(AUTHORIZATION)
            .any(|header| carries_jws(header.value))
    {
        return refuse(ambiguous("the authorization header holds a second token"));
    }
    if query.is_some_and(query_carries_jws) {
        return refuse(ambiguous("the query's access_token holds a second token"));
    }
    Ok(Carried { value, token })
}

/// What is wrong with a value whatever stands in it.
fn oddity(value: &[u8]) -> Option<Refusal> {
    if value.contains(&b',') {
        return Some(ambiguous("the token's header holds a comma-joined list"));
    }
    str::from_utf8(value).is_err().then(not_text)
}

fn not_text() -> Refusal {
    Refusal::new(Reason::TokenMalformed, "the header is not text")
}

/// Without the spaces and tabs around it.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn ambiguous(detail: &'static str) -> Refusal {
    Refusal::new(Reason::TokenAmbiguous, detail)
}

/// What follows the scheme `Bearer`, in any case, and at least one space.
fn after_bearer(text: &[u8]) -> Option<&[u8]> {
    const SCHEME: usize = "Bearer".len();
    let (scheme, mut rest) = text.split_at_checked(SCHEME)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") || !matches!(rest.first(), None | Some(b' ')) {
        return None;
    }
    while let [b' ', token @ ..] = rest {
        rest = token;
    }
    Some(rest)
}

/// Whether text looks like a signed JWT: three parts, the first an encoded `{"`.
fn is_compact_jws(text: &str) -> bool {
    text.starts_with("ey") && text.bytes().filter(|&byte| byte == b'.').count() == 2
}

fn carries_jws(value: &[u8]) -> bool {
    String::from_utf8_lossy(value)
        .split([' ', '\t', ','])
        .any(is_compact_jws)
}

fn query_carries_jws(query: &[u8]) -> bool {
    // A JWS has two dots, each of which may be escaped: most queries are too poor in both to be looked at closer.
    let dots = query.iter().filter(|byte| matches!(byte, b'.' | b'%'));
    if dots.take(2).count() < 2 {
        return false;
    }
    String::from_utf8_lossy(query)
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, value)| {
            percent_decoded(name) == b"access_token"
                && std::str::from_utf8(&percent_decoded(value)).is_ok_and(is_compact_jws)
        })
}

/// Bytes whose escapes are undone; what only looks like an escape stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut out: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        let escaped = part.get(..2).and_then(|digits| {
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        });
        match (escaped, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                out.push(byte);
                out.extend(rest.bytes());
            }
            _ => {
                out.push(b'%');
                out.extend(part.bytes());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(header: &str, headers: &[(&str, &str)], query: Option<&str>) -> Result<String, Reason> {
        let carrier = Carrier {
            header: header.into(),
            forward: false,
        };
        let headers: HeaderMap = headers.iter().copied().collect();
        extract(&carrier, &headers, query.map(str::as_bytes))
            .and_then(Carried::text)
            .map(String::from)
            .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn one_token_in_its_place_is_taken() {
        for value in [
            "Bearer a.b.c",
            "bearer a.b.c",
            "BEARER   a.b.c ",
            " Bearer a.b.c",
        ] {
            assert_eq!(
                take("authorization", &[("authorization", value)], None).unwrap(),
                "a.b.c"
            );
        }
        for value in ["a.b.c", "Bearer a.b.c"] {
            let headers = [("x-ci-token", value), ("authorization", "Basic eyJ=")];
            assert_eq!(
                take("x-ci-token", &headers, Some("access_token=1")).unwrap(),
                "a.b.c"
            );
        }
    }

    #[test]
    fn pitfall_23_none_is_missing_and_two_are_ambiguous() {
        use Reason::{TokenAmbiguous, TokenMissing};
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>, Reason);
        let cases: &[Case<'_>] = &[
            ("authorization", &[], None, TokenMissing),
            (
                "authorization",
                &[("authorization", "")],
                None,
                TokenMissing,
            ),
            (
                "authorization",
                &[("authorization", "Bearer")],
                None,
                TokenMissing,
            ),
            (
                "authorization",
                &[("authorization", "Bearer ")],
                None,
                TokenMissing,
            ),
            (
                "authorization",
                &[("authorization", "Basic a.b.c")],
                None,
                TokenMissing,
            ),
            (
                "authorization",
                &[("authorization", "a.b.c")],
                None,
                TokenMissing,
            ),
            ("x-ci-token", &[("x_ci_token", "a.b.c")], None, TokenMissing),
            (
                "authorization",
                &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
                None,
                TokenAmbiguous,
            ),
            (
                "authorization",
                &[("authorization", "Bearer a,Bearer b")],
                None,
                TokenAmbiguous,
            ),
            (
                "x-ci-token",
                &[("x-ci-token", "a"), ("x_ci_token", "b")],
                None,
                TokenAmbiguous,
            ),
            (
                "x-ci-token",
                &[("x-ci-token", "a.b.c"), ("authorization", "Bearer eyJ.b.c")],
                None,
                TokenAmbiguous,
            ),
            (
                "authorization",
                &[("authorization", "Bearer a.b.c")],
                Some("x=1&access_token=eyJ.b.c"),
                TokenAmbiguous,
            ),
            (
                "authorization",
                &[("authorization", "Bearer a.b.c")],
                Some("%61ccess%5Ftoken=%65y%4A%2Eb.c%"),
                TokenAmbiguous,
            ),
        ];
        for (header, headers, query, reason) in cases {
            assert_eq!(
                take(header, headers, *query),
                Err(*reason),
                "{headers:?} {query:?}"
            );
        }
    }
}
