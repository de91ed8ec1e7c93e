//! How a token differs from the one that a job would get.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::keys::Algorithm;

/// A token to mint. The default is a good one: that of the job described at [`crate::mint`].
///
/// All times are seconds, relative to the `now` that [`crate::mint::Minter::mint`] is given.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSpec {
    /// Whose job the token is of: which claims it has, and from when it says it holds.
    pub provider: Provider,
    /// Put over the base claims; null sets a JSON null.
    ///
    /// `sub` follows the claims that it is made of, unless it is among these itself.
    pub claims: Map<String, Value>,
    /// Claims to leave out, by name.
    pub without: BTreeSet<String>,
    /// Put over the JOSE header `{"alg":...,"typ":"JWT","kid":...}`, which names the key that signs; null sets a JSON null.
    pub header: Map<String, Value>,
    /// Header parameters to leave out, by name.
    pub without_header: BTreeSet<String>,
    /// From `iat` to `exp`.
    pub lifetime: i64,
    /// How long ago `iat` is; a negative age lies in the future.
    pub age: i64,
    /// From now to `nbf`, which is what the provider makes it unless this is given.
    pub nbf_in: Option<i64>,
    /// From now to `exp`, in place of `lifetime`.
    pub exp_in: Option<i64>,
    /// What it is signed with, by the fixed key for that ([`crate::keys::SigningKey::fixed`]); without it, and for its
    /// own algorithm, by the issuer's current key. [`crate::mint::Minter::publish_every_algorithm`] publishes them.
    pub algorithm: Option<Algorithm>,
    /// What signs the token.
    pub sign_with: SignWith,
    /// What happens to the token after it was signed.
    pub tamper: Option<Tamper>,
    /// The length of a filler claim, to make the token as long as a test wants it.
    pub pad: Option<usize>,
    /// The header's text as it is, to be encoded and signed: for duplicate members and garbage.
    pub raw_header: Option<String>,
    /// The payload's text as it is, to be encoded and signed.
    pub raw_payload: Option<String>,
    /// The token's text as it is; nothing else here has a say then.
    pub raw: Option<String>,
}

impl Default for TokenSpec {
    fn default() -> Self {
        Self {
            provider: Provider::default(),
            claims: Map::new(),
            without: BTreeSet::new(),
            header: Map::new(),
            without_header: BTreeSet::new(),
            // What Buildkite's agent asks for when it isn't told.
            lifetime: 300,
            age: 0,
            nbf_in: None,
            exp_in: None,
            algorithm: None,
            sign_with: SignWith::default(),
            tamper: None,
            pad: None,
            raw_header: None,
            raw_payload: None,
            raw: None,
        }
    }
}

/// A CI provider.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Buildkite.
    #[default]
    Buildkite,
    /// GitLab CI, whose `nbf` lies 5 seconds before `iat`.
    Gitlab,
    /// GitHub Actions, whose `nbf` lies 10 minutes before `iat`.
    Github,
    /// CircleCI, without `nbf`.
    Circleci,
}

/// What signs a token.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignWith {
    /// The issuer's current key, or that of the spec's `algorithm`.
    #[default]
    Current,
    /// A key that the issuer doesn't publish, under the `kid` of the one that it does: Ed25519 in place of such a key,
    /// else RSA.
    Unpublished,
    /// Nothing: the signature is empty.
    Nothing,
    /// HMAC-SHA256 with the key's public half as the secret, in PEM for RSA, under `"alg":"HS256"` (RFC 8725, section 2.1).
    HmacPublicKey,
}

/// What happens to a token after it was signed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tamper {
    /// `build_number` is raised by one: a claim that no check of time, issuer or audience looks at.
    Payload,
    /// A bit in the middle of the signature is flipped.
    Signature,
    /// The header gains a parameter that a verifier must ignore (RFC 7515, section 4).
    Header,
    /// The signature loses its last byte.
    TruncateSignature,
    /// The signature gains a zero byte at its end.
    SignatureTrailingByte,
    /// The signature gains a zero byte at its start.
    SignatureLeadingZero,
    /// The signature is as long as it was, and all zeros: for ECDSA the "psychic" one, r = s = 0.
    ZeroSignature,
    /// An ECDSA signature is written in DER, as most libraries but JOSE's do.
    DerSignature,
    /// The second half of an ECDSA or Ed25519 signature is raised by the group's order, or is the order where that
    /// doesn't fit: the same number, written in a way that isn't allowed.
    UnreducedSignature,
}
