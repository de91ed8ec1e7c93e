//! A token before it is signed: JSON as text, so that it can be wrong in every way that text can.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jobgate_harness::keys::SigningKey;
use rand::Rng;
use rand::rngs::StdRng;

use crate::world::{NOW, World};

/// The members of a JSON object, names and values as they are written.
#[derive(Clone)]
pub(crate) struct Members(pub(crate) Vec<(String, String)>);

impl Members {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        let name = quoted(name);
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        let name = quoted(name);
        self.0.retain(|(known, _)| *known != name);
    }

    /// The object, with a space of this kind wherever one may stand.
    fn text(&self, space: &str) -> String {
        let members: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{space}{name}{space}:{space}{value}{space}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What makes the signature.
pub(crate) enum Signer {
    /// A key, whatever the header says.
    Key(SigningKey),
    /// An HMAC with the public half of a key as its secret.
    PublicHalf(SigningKey),
    /// Nothing.
    Nothing,
}

/// A token before it is signed.
pub(crate) struct Draft {
    /// The issuer, by its place.
    pub(crate) issuer: usize,
    pub(crate) header: Members,
    pub(crate) claims: Members,
    pub(crate) signer: Signer,
    /// The header's and the payload's bytes, where they are not what the members say.
    pub(crate) header_bytes: Option<Vec<u8>>,
    pub(crate) payload_bytes: Option<Vec<u8>>,
    /// What stands between the members.
    pub(crate) space: &'static str,
}

impl Draft {
    /// A good token of an issuer, signed with one of its keys.
    pub(crate) fn good(world: &World, issuer: usize, key: &SigningKey, rng: &mut StdRng) -> Self {
        let of = &world.issuers[issuer];
        let age = rng.gen_range(0..200);
        let issued = NOW - age;
        let claims = [
            ("iss", quoted(of.name)),
            (
                "aud",
                quoted(of.audiences[rng.gen_range(0..of.audiences.len())]),
            ),
            ("sub", quoted("organization:acme:pipeline:deploy-web")),
            ("iat", issued.to_string()),
            ("nbf", issued.to_string()),
            ("exp", (issued + rng.gen_range(250..3_600)).to_string()),
            ("jti", quoted(&format!("{:032x}", rng.r#gen::<u128>()))),
            ("organization_slug", quoted("acme")),
            ("build_number", rng.gen_range(1..100_000).to_string()),
        ];
        let header = [
            ("alg", quoted(key.algorithm().name())),
            ("typ", quoted("JWT")),
            ("kid", quoted(key.kid())),
        ];
        let members = |pairs: &[(&str, String)]| {
            let pairs = pairs.iter();
            Members(
                pairs
                    .map(|(name, value)| (quoted(name), value.clone()))
                    .collect(),
            )
        };
        Self {
            issuer,
            header: members(&header),
            claims: members(&claims),
            signer: Signer::Key(key.clone()),
            header_bytes: None,
            payload_bytes: None,
            space: "",
        }
    }

    /// The token.
    pub(crate) fn sign(&self) -> Token {
        let bytes = |given: &Option<Vec<u8>>, members: &Members| {
            given
                .clone()
                .unwrap_or_else(|| members.text(self.space).into_bytes())
        };
        let header = bytes(&self.header_bytes, &self.header);
        let payload = bytes(&self.payload_bytes, &self.claims);
        let input = format!("{}.{}", encode(&header), encode(&payload));
        let (signature, key) = match &self.signer {
            Signer::Key(key) => (key.sign(input.as_bytes()), Some(key.clone())),
            Signer::PublicHalf(key) => {
                let mac = hmac_sha256::HMAC::mac(&input, key.public_text());
                (mac.to_vec(), None)
            }
            Signer::Nothing => (Vec::new(), None),
        };
        Token {
            header,
            payload,
            signature,
            key,
        }
    }
}

/// A signed token in its parts.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// What signed it.
    pub(crate) key: Option<SigningKey>,
}

impl Token {
    pub(crate) fn parts(&self) -> [String; 3] {
        [&self.header, &self.payload, &self.signature].map(|part| encode(part))
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
