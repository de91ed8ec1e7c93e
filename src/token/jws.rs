//! A compact JWS (RFC 7515, section 3.1) that carries a JWT, parsed strictly and not yet believed.

use super::compact::Compact;
use super::{Claims, MAX_TOKEN_BYTES, malformed};
use crate::base64url;
use crate::json;
use crate::reason::{Reason, Refusal};
use serde_json::Value;

/// The largest encoded JOSE header. The providers' are some 150 bytes.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// What of a JOSE header is looked at.
///
/// `jku`, `jwk`, `x5u` and `x5c` are not: keys come from the policy's issuers only (RFC 8725, section 3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoseHeader {
    /// The signature algorithm the token claims.
    pub alg: String,
    /// The key the token claims.
    pub kid: Option<String>,
}

/// A parsed token. Its claims are whatever the sender wrote.
#[derive(Debug, Clone)]
pub struct Jws<'a> {
    // Private, so that header and claims are always those of the text whose signature is checked.
    compact: Compact<'a>,
    header: JoseHeader,
    claims: Claims,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Parses a compact token.
    ///
    /// # Errors
    /// `token_too_large` or `token_malformed`; never a word of the token in the detail.
    pub fn parse(compact: &'a str) -> Result<Self, Refusal> {
        check_size(compact)?;
        Self::read(Compact::new(compact))
    }

    /// The same of a token whose size was checked. The payload comes last: it costs most.
    pub(super) fn read(compact: Compact<'a>) -> Result<Self, Refusal> {
        let mut parts = compact.text().split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed(
                "it does not have the three parts of a compact JWS",
            ));
        };
        if header.len() > MAX_HEADER_BYTES {
            return Err(malformed("its JOSE header is too large"));
        }
        let header = jose_header(&object(header, "its JOSE header")?)?;
        let signature = decode(signature, "its signature")?;
        let claims = object(payload, "its payload")?;
        Ok(Self {
            compact,
            header,
            claims,
            signature,
        })
    }
}

impl<'a> Jws<'a> {
    /// The token as it was sent.
    #[must_use]
    pub const fn compact(&self) -> &'a str {
        self.compact.text()
    }

    /// The same, with its digests.
    pub(super) const fn text(&self) -> &Compact<'a> {
        &self.compact
    }

    /// What was signed: the encoded header and payload with the dot between them (RFC 7515, section 5.2).
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.compact.signing_input()
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Its JOSE header.
    #[must_use]
    pub const fn header(&self) -> &JoseHeader {
        &self.header
    }

    /// Its claims, not proven.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(super) fn into_claims(self) -> Claims {
        self.claims
    }
}

/// # Errors
/// `token_too_large`.
pub(super) fn check_size(compact: &str) -> Result<(), Refusal> {
    let bytes = compact.len();
    if bytes > MAX_TOKEN_BYTES {
        let detail = format!("{bytes} bytes; at most {MAX_TOKEN_BYTES} are read");
        return Err(Refusal::new(Reason::TokenTooLarge, detail));
    }
    Ok(())
}

fn jose_header(header: &Claims) -> Result<JoseHeader, Refusal> {
    // RFC 7515, section 4.1.11: an extension that is marked critical and not understood refuses. None
    // is understood here, `b64` (RFC 7797) least of all.
    if header.has_member("crit") || header.has_member("b64") {
        return Err(malformed(
            "its JOSE header demands an extension (crit, b64)",
        ));
    }
    if header.has_member("enc") || header.has_member("zip") {
        return Err(malformed("its JOSE header is that of a JWE"));
    }
    // A key that comes with the token proves nothing, and no CI sends one.
    if header.has_member("jwk") {
        return Err(malformed("its JOSE header brings a key along"));
    }
    // RFC 7515, sections 4.1.2 to 4.1.10: these are not used, and all the same what they must be.
    for name in ["jku", "x5u", "x5t", "x5t#S256", "cty"] {
        if header.member(name).is_some_and(|value| !value.is_string()) {
            return Err(malformed(format!("its {name} is not a string")));
        }
    }
    if header.member("x5c").is_some_and(|chain| !is_strings(chain)) {
        return Err(malformed("its x5c is not an array of strings"));
    }
    match header.member("typ") {
        None => {}
        Some(Value::String(typ)) if typ.eq_ignore_ascii_case("JWT") => {}
        Some(_) => return Err(malformed("its typ is not JWT")),
    }
    let Some(Value::String(alg)) = header.member("alg") else {
        return Err(malformed("its JOSE header has no alg"));
    };
    let kid = match header.member("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err(malformed("its kid is not a string")),
    };
    Ok(JoseHeader {
        alg: alg.clone(),
        kid,
    })
}

#[inline]
fn is_strings(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(Value::is_string))
}

fn object(part: &str, what: &'static str) -> Result<Claims, Refusal> {
    match json::parse_members(&decode(part, what)?) {
        Ok(Some(members)) => Ok(Claims::from_members(members)),
        Ok(None) => Err(malformed(format!("{what} is not a JSON object"))),
        Err(error) if error.is_ambiguous() => Err(malformed(format!(
            "{what} repeats a member or nests too deep"
        ))),
        Err(_) => Err(malformed(format!("{what} is not JSON"))),
    }
}

fn decode(part: &str, what: &'static str) -> Result<Vec<u8>, Refusal> {
    base64url::decode(part).ok_or_else(|| malformed(format!("{what} is not unpadded base64url")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};

    fn encode(text: &str) -> String {
        Base64UrlSafeNoPadding::encode_to_string(text).unwrap()
    }

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.c2ln", encode(header), encode(payload))
    }

    #[track_caller]
    fn refused(compact: &str) -> String {
        let refusal = Jws::parse(compact).unwrap_err();
        assert_eq!(refusal.reason, Reason::TokenMalformed, "{compact}");
        refusal.detail.into_owned()
    }

    #[test]
    fn a_plain_token_is_parsed() {
        let compact = token(
            r#"{"alg":"RS256","typ":"jwt","kid":"k","jku":"https://evil"}"#,
            r#"{"iss":"i"}"#,
        );
        let jws = Jws::parse(&compact).unwrap();
        assert_eq!(
            jws.header,
            JoseHeader {
                alg: "RS256".into(),
                kid: Some("k".into())
            }
        );
        assert_eq!(jws.claims.text("iss").unwrap(), "i");
    }

    #[test]
    fn an_unsecured_jws_parses_so_that_its_alg_is_what_refuses_it() {
        let compact = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}"));
        assert_eq!(Jws::parse(&compact).unwrap().header.alg, "none");
    }

    #[test]
    fn other_shapes_are_refused() {
        for compact in ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "...."] {
            refused(compact);
        }
        for header in [
            "[]",
            r#"{"alg":"RS256","typ":null}"#,
            r#"{"alg":"RS256","kid":null}"#,
            r#"{"alg":"RS256","crit":null}"#,
            r#"{"alg":"RS256","jwk":null}"#,
            r#"{"alg":"RS256","x5c":null}"#,
            r#"{"alg":"RS256","jku":null}"#,
            r#"{"alg":null}"#,
            "{}",
            "x",
            r#"{"alg":1}"#,
            r#"{"alg":"RS256","alg":"none"}"#,
            r#"{"alg":"RS256","crit":["exp"]}"#,
            r#"{"alg":"RS256","crit":[]}"#,
            r#"{"alg":"RS256","b64":false}"#,
            r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#,
            r#"{"alg":"RS256","zip":"DEF"}"#,
            r#"{"alg":"RS256","typ":"logout+jwt"}"#,
            r#"{"alg":"RS256","typ":7}"#,
            r#"{"alg":"RS256","kid":["../../key"]}"#,
            r#"{"alg":"RS256","jwk":{"kty":"oct","k":"c2VjcmV0"}}"#,
            r#"{"alg":"RS256","jku":["https://evil"]}"#,
            r#"{"alg":"RS256","x5u":{}}"#,
            r#"{"alg":"RS256","x5t#S256":7}"#,
            r#"{"alg":"RS256","x5c":"MIIB"}"#,
            r#"{"alg":"RS256","x5c":["MIIB",null]}"#,
            r#"{"alg":"RS256","cty":7}"#,
        ] {
            refused(&token(header, "{}"));
        }
        for payload in ["", "[]", "\"x\"", r#"{"aud":1,"aud":2}"#] {
            refused(&token(r#"{"alg":"RS256"}"#, payload));
        }
    }

    #[test]
    fn base64url_is_read_in_one_way_only() {
        let good = token(r#"{"alg":"RS256"}"#, r#"{"a":1}"#);
        let (head, _) = good.rsplit_once('.').unwrap();
        assert!(Jws::parse(&format!("{head}.c2k")).is_ok());
        // Padded, with the other alphabet, white space, a line break, and a tail whose unused bits are set.
        for signature in [
            "c2k=", "c2k+", "c2/p", "c2 k", "c2k\n", "\tc2k", "c2l", "c", "c2ké",
        ] {
            assert!(
                refused(&format!("{head}.{signature}")).contains("signature"),
                "{signature:?}"
            );
        }
    }

    #[test]
    fn size_is_looked_at_before_anything_else() {
        let huge = "x".repeat(MAX_TOKEN_BYTES + 1);
        assert_eq!(Jws::parse(&huge).unwrap_err().reason, Reason::TokenTooLarge);
        let header = format!(
            r#"{{"alg":"RS256","kid":"{}"}}"#,
            "k".repeat(MAX_HEADER_BYTES)
        );
        assert!(refused(&token(&header, "{}")).contains("too large"));
    }
}
