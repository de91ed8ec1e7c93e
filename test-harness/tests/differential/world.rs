//! The issuers that both sides believe, and the keys that sign.

use jobgate::policy::Policy;
use jobgate_harness::keys::{Algorithm, RsaSize, SigningKey};
use serde_json::{Value, json};

/// The time of all verdicts.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const LEEWAY: i64 = 30;
pub(crate) const MAX_LIFETIME: i64 = 3_600;
pub(crate) const AUDIENCE: &str = "https://deploy.acme.example";

/// An issuer: what it is called, whom its tokens are for, what it may sign with, and its keys.
pub(crate) struct Issuer {
    pub(crate) name: &'static str,
    pub(crate) audiences: &'static [&'static str],
    algorithms: Vec<&'static str>,
    pub(crate) keys: Vec<SigningKey>,
    /// Keys that it publishes and that verify no token.
    others: Vec<Value>,
}

/// The issuers, and keys that nobody publishes.
pub(crate) struct World {
    pub(crate) issuers: [Issuer; 2],
    pub(crate) strangers: Vec<SigningKey>,
}

impl World {
    pub(crate) fn new() -> Self {
        let fixed = Algorithm::ALL.map(SigningKey::fixed);
        let mut keys = vec![
            SigningKey::ed25519("first").named("first"),
            SigningKey::ed25519("second").named("second"),
        ];
        keys.extend(fixed);
        let encrypts = {
            let mut jwk = SigningKey::ed25519("encrypts")
                .named("encrypts")
                .public_jwk();
            jwk["use"] = "enc".into();
            jwk
        };
        let first = Issuer {
            name: "https://ci.example",
            audiences: &[AUDIENCE, "https://second.example"],
            algorithms: Algorithm::ALL.map(Algorithm::name).to_vec(),
            keys,
            others: vec![
                json!({ "kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256" }),
                json!({ "kty": "AKP", "kid": "of the future", "alg": "ML-DSA-44", "pub": "AAAA" }),
                encrypts,
            ],
        };
        // It has one key for each algorithm, one under a name that the other issuer uses too, and one that
        // its list of algorithms leaves out.
        let second = Issuer {
            name: "https://other.example",
            audiences: &[AUDIENCE],
            algorithms: vec!["EdDSA", "RS256", "RS384"],
            keys: vec![
                SigningKey::ed25519("third").named("first"),
                SigningKey::fixed_rsa(Algorithm::Rs256, RsaSize::Bits3072).named("rsa"),
                SigningKey::fixed(Algorithm::Es256).named("left out"),
            ],
            others: Vec::new(),
        };
        Self {
            issuers: [first, second],
            strangers: vec![
                SigningKey::ed25519("stranger").named("first"),
                SigningKey::ed25519("encrypts").named("encrypts"),
                SigningKey::ed25519("stranger").named("stranger"),
            ],
        }
    }

    /// The gate's policy for these issuers. Whom it lets do what is of no account here.
    pub(crate) fn policy(&self) -> Policy {
        let issuers: Vec<_> = self.issuers.iter().map(Issuer::policy).collect();
        let policy = json!({ "issuers": issuers, "rules": [] }).to_string();
        Policy::from_json(policy.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The same for the other verifier.
    pub(crate) fn description(&self) -> Value {
        let issuers: Vec<_> = self.issuers.iter().map(Issuer::description).collect();
        json!({ "now": NOW, "issuers": issuers })
    }
}

impl Issuer {
    fn jwks(&self) -> Vec<Value> {
        let own = self.keys.iter().map(SigningKey::public_jwk);
        own.chain(self.others.iter().cloned()).collect()
    }

    fn policy(&self) -> Value {
        json!({
            "issuer": self.name,
            "audience": self.audiences,
            "algorithms": self.algorithms,
            "leeway": format!("{LEEWAY}s"),
            "max_lifetime": format!("{MAX_LIFETIME}s"),
            "keys": { "keys": self.jwks() },
        })
    }

    fn description(&self) -> Value {
        json!({
            "issuer": self.name,
            "audiences": self.audiences,
            "algorithms": self.algorithms,
            "leeway": LEEWAY,
            "max_lifetime": MAX_LIFETIME,
            "keys": self.jwks(),
        })
    }
}
