//! The configuration's JSON Schema, from the types that read it.
//!
//! It is never stricter than [`Policy::from_json`](super::Policy::from_json), and says of the shape what that
//! says, and of texts and numbers what a pattern or a bound can say ([`narrow`]). What needs more than one member to
//! tell is not in it, such as a rule without a tenant pin.
//! A description ends in a paragraph `Default: ...` where there is a default.

mod exchange;
mod narrow;
mod sessions;

pub(super) use exchange::Exchange;
pub(super) use sessions::Sessions;

use super::identity::IdentityField;
use super::preset::Preset;
use super::raw::{Named, OneOrMany, RawClaimRule, RawPolicy, RawSize, Scalar};
use crate::token::Algorithm;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The JSON Schema (draft 2020-12) of configurations.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RawPolicy>().to_value();
    tidy(&mut schema);
    let missing = narrow::narrow(&mut schema);
    debug_assert_eq!(missing, Vec::<String>::new());
    if let Value::Object(root) = &mut schema {
        root.insert("title".into(), "Jobgate policy".into());
    }
    schema
}

/// Takes out what schemars adds of its own: that members may be null, which none may (see
/// [`super::raw::Read`]), Rust's names of number formats, and those defaults that it finds in the types.
fn tidy(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    members.remove("default");
    members.remove("format");
    if let Some(Value::String(description)) = members.get_mut("description") {
        *description = on_one_line(description);
    }
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".into(), only);
        }
    }
    let alternatives = members.get_mut("anyOf").and_then(Value::as_array_mut);
    if let Some(alternatives) = alternatives {
        alternatives.retain(|each| each.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            members.remove("anyOf");
            members.extend(only);
        }
    }
    for (name, member) in members {
        match (name.as_str(), member) {
            // Here the members are schemas, and their names are anything.
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values_mut().for_each(tidy);
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(tidy);
            }
            ("items" | "additionalProperties", schema) => tidy(schema),
            _ => {}
        }
    }
}

/// Each paragraph on one line: where a comment breaks its lines is the code's matter.
fn on_one_line(text: &str) -> String {
    let paragraphs: Vec<_> = text
        .split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect();
    paragraphs.join("\n\n")
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, T>::json_schema(generator)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Scalars compare by their JSON text: 42 is also \"42\".",
            "type": ["string", "number", "boolean"],
        })
    }
}

impl JsonSchema for RawClaimRule {
    fn schema_name() -> Cow<'static, str> {
        "ClaimRule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<Scalar>();
        let matchers = generator.subschema_for::<Matchers>();
        json_schema!({
            "description": "What is asked of a claim: a scalar, which is short for `equals`, or matchers.",
            "anyOf": [scalar, matchers],
        })
    }
}

impl JsonSchema for RawSize {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole number of bytes, or with a unit: KiB or MiB.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+(KiB|MiB)$" },
            ],
        })
    }
}

/// Matchers of a claim, as [`RawClaimRule`] reads them. All of them must hold.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
#[expect(dead_code, reason = "its members are read by the derive")]
struct Matchers {
    /// Is this.
    equals: Option<Scalar>,
    /// Is something else.
    not_equals: Option<Scalar>,
    /// Is one of these.
    r#in: Option<Vec<Scalar>>,
    /// Is none of these.
    not_in: Option<Vec<Scalar>>,
    /// Is covered by this glob, or one of these; strings only. `*` is any run of characters, `?` any one.
    matches: Option<OneOrMany<String>>,
}

/// What is revoked, as [`crate::revocation::Revocation::parse`] reads it: an entry covers a token if all that
/// it names holds.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["claims"] }, { "required": ["kid"] }, { "required": ["token_sha256"] }]))]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(super) struct Revocation {
    /// Only tokens of this issuer.
    issuer: Option<String>,
    /// Each of these claims has this value, compared as `equals` does in rules.
    claims: Option<BTreeMap<String, Scalar>>,
    /// The token's header names this key.
    kid: Option<String>,
    /// The SHA-256 digest, in hex or base64url, of the token (`printf %s "$TOKEN" | sha256sum`), or of what it
    /// signs, its first two parts (`printf %s "${TOKEN%.*}" | sha256sum`). For tokens signed with ES256 or
    /// ES384 take the second: anybody can turn such a signature into another that is as good.
    token_sha256: Option<String>,
    /// When the entry ends: seconds since 1970, or UTC like `"2027-01-15T08:00:00Z"`. It holds for the issuer's
    /// `leeway` longer, so that a token's own `exp` can be written.
    expires: Option<Moment>,
    /// Why, for the decision record alone; at most 200 bytes.
    note: Option<String>,
}

/// A key that signs assertions, as [`crate::assertion::SigningKey`] reads it: one of these.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(super) struct AssertionKey {
    /// A JWK with its private half `d`: P-256 (`ES256`) or Ed25519 (`EdDSA`). Its name in assertions and in the key
    /// set is its `kid`, or else its thumbprint (RFC 7638).
    jwk: Option<PrivateJwk>,
    /// The same in PEM: PKCS #8, not encrypted.
    pem: Option<String>,
    /// The name of an environment variable of the gateway's Wasm VM that holds a JWK or a PEM.
    env: Option<String>,
}

/// Declares types that stand for a text or an object of a certain shape.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident => $schema:expr;)+) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+};
}

shapes! {
    /// What [`crate::time::parse_span`] reads.
    Span => json_schema!({
        "description": "A whole number and a unit: ms, s, m, h or d.",
        "type": "string",
        "pattern": "^[0-9]+(ms|s|m|h|d)$",
    });
    /// What [`crate::limit::Rate::parse`] reads.
    RateText => json_schema!({
        "description": "A whole number, a slash and a unit: s, m, h or d.",
        "type": "string",
        "pattern": "^[0-9]*[1-9][0-9]*/[smhd]$",
    });
    /// A moment of a revocation.
    Moment => json_schema!({
        "description": "Seconds since 1970, or UTC like \"2027-01-15T08:00:00Z\".",
        "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }],
    });
    /// The name of a [`Preset`].
    PresetName => one_of(Preset::ALL.iter().map(|preset| preset.name));
    /// The name of an [`Algorithm`].
    AlgorithmName => one_of(Algorithm::ALL.iter().map(|algorithm| algorithm.name()));
    /// A claim for each [`IdentityField`].
    IdentityClaims => identity_claims();
    /// What [`crate::policy::Share::new`] takes.
    Share => json_schema!({ "type": "number", "minimum": 0, "maximum": 1 });
    /// What [`crate::assertion::SigningKey::from_jwk`] reads.
    PrivateJwk => json_schema!({
        "type": "object",
        "properties": { "kty": { "enum": ["EC", "OKP"] }, "d": { "type": "string" } },
        "required": ["kty", "crv", "d", "x"],
    });
    /// How a client's secret is sent.
    ClientMethod => one_of(["basic", "post"].into_iter());
    /// A client's secret, or where it is.
    ClientSecret => json_schema!({
        "anyOf": [
            { "type": "string", "minLength": 1, "maxLength": 1024 },
            {
                "type": "object",
                "properties": { "env": { "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" } },
                "required": ["env"],
                "additionalProperties": false,
            },
        ],
    });
    /// What [`crate::keys::KeySet::from_value`] reads.
    JwksDocument => json_schema!({
        "type": "object",
        "properties": { "keys": { "type": "array" } },
        "required": ["keys"],
    });
}

fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> Schema {
    let names: Vec<_> = names.collect();
    json_schema!({ "type": "string", "enum": names })
}

fn identity_claims() -> Schema {
    let claims: Map<_, _> = IdentityField::ALL
        .iter()
        .map(|field| {
            (
                field.name().to_owned(),
                serde_json::json!({ "type": "string" }),
            )
        })
        .collect();
    json_schema!({ "type": "object", "properties": claims, "additionalProperties": false })
}
