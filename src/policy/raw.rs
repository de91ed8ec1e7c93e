//! The configuration as it is written, before any of it was checked for meaning.

mod state;

pub(super) use state::{RawCache, RawReplay, RawRevocations, RawSize, RawUnavailable};

use super::schedule::RawWindow;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The whole document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    #[serde(default)]
    pub(super) mode: RawMode,
    pub(super) issuers: Vec<RawIssuer>,
    #[serde(default)]
    pub(super) token: RawToken,
    #[serde(default)]
    pub(super) headers: RawHeaders,
    #[serde(default)]
    pub(super) roles: BTreeMap<String, OneOrMany<RawRole>>,
    pub(super) rules: Vec<RawRule>,
    #[serde(default)]
    pub(super) audit: RawAudit,
    #[serde(default)]
    pub(super) shared_data: bool,
    #[serde(default)]
    pub(super) cache: RawCache,
    #[serde(default, deserialize_with = "present")]
    pub(super) revocations: Option<RawRevocations>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMode {
    #[default]
    Enforce,
    Shadow,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    #[serde(default, deserialize_with = "present")]
    pub(super) preset: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) issuer: Option<String>,
    pub(super) audience: OneOrMany<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) algorithms: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) tenant_claims: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) claims: Option<BTreeMap<String, RawClaimRule>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) identity: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) leeway: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) max_lifetime: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) jwks: Option<RawJwks>,
    #[serde(default, deserialize_with = "present")]
    pub(super) keys: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJwks {
    #[serde(default, deserialize_with = "present")]
    pub(super) uri: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) discovery: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub(super) cluster: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) refresh: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) timeout: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) max_stale: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) wait: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawToken {
    #[serde(default, deserialize_with = "present")]
    pub(super) header: Option<String>,
    #[serde(default)]
    pub(super) forward: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHeaders {
    #[serde(default, deserialize_with = "present")]
    pub(super) prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRole {
    #[serde(default, deserialize_with = "present")]
    pub(super) roles: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) claims: Option<BTreeMap<String, RawClaimRule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) id: String,
    #[serde(default)]
    pub(super) effect: RawEffect,
    #[serde(default)]
    pub(super) shadow: bool,
    #[serde(default, deserialize_with = "present")]
    pub(super) routes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) hosts: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) issuer: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) roles: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) methods: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) paths: Option<Vec<String>>,
    #[serde(default)]
    pub(super) claims: BTreeMap<String, RawClaimRule>,
    #[serde(default, deserialize_with = "present")]
    pub(super) when: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) schedule: Option<OneOrMany<RawWindow>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) client_certificate: Option<RawCertificate>,
    #[serde(default)]
    pub(super) replay: RawReplay,
}

/// What the client's certificate must be; with no member, any that the gateway verified.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct RawCertificate {
    #[serde(default, deserialize_with = "present")]
    pub(super) subject: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) uri_san: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) dns_san: Option<OneOrMany<String>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawEffect {
    #[default]
    Allow,
    Deny,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAudit {
    #[serde(default, deserialize_with = "present")]
    pub(super) detail: Option<RawDetail>,
    #[serde(default, deserialize_with = "present")]
    pub(super) client: Option<RawClient>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawDetail {
    Code,
    Conditions,
    Claims,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawClient {
    Code,
    Conditions,
}

/// A member that is written. One that is null is an error: taken for one that is left out, it would widen
/// what the author narrowed.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What is asked of one claim: a scalar (short for `equals`), or matchers that must all hold.
#[derive(Debug, Default)]
pub(super) struct RawClaimRule {
    pub(super) equals: Option<Scalar>,
    pub(super) not_equals: Option<Scalar>,
    pub(super) one_of: Option<Vec<Scalar>>,
    pub(super) none_of: Option<Vec<Scalar>>,
    pub(super) matches: Option<OneOrMany<String>>,
}

impl<'de> Deserialize<'de> for RawClaimRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Matchers {
            #[serde(default, deserialize_with = "present")]
            equals: Option<Scalar>,
            #[serde(default, deserialize_with = "present")]
            not_equals: Option<Scalar>,
            #[serde(rename = "in")]
            #[serde(default, deserialize_with = "present")]
            one_of: Option<Vec<Scalar>>,
            #[serde(rename = "not_in")]
            #[serde(default, deserialize_with = "present")]
            none_of: Option<Vec<Scalar>>,
            #[serde(default, deserialize_with = "present")]
            matches: Option<OneOrMany<String>>,
        }

        struct ClaimRuleVisitor;

        impl<'de> Visitor<'de> for ClaimRuleVisitor {
            type Value = RawClaimRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar, or an object of equals, not_equals, in, not_in, matches")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_bool(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_u64(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_i64(value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_f64(value))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_str(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<RawClaimRule, A::Error> {
                Err(A::Error::custom(
                    "a list is not a matcher; write {\"in\": [...]}",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawClaimRule, A::Error> {
                let Matchers {
                    equals,
                    not_equals,
                    one_of,
                    none_of,
                    matches,
                } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawClaimRule {
                    equals,
                    not_equals,
                    one_of,
                    none_of,
                    matches,
                })
            }
        }

        fn equals<E>(scalar: Result<Scalar, E>) -> Result<RawClaimRule, E> {
            Ok(RawClaimRule {
                equals: Some(scalar?),
                ..RawClaimRule::default()
            })
        }

        deserializer.deserialize_any(ClaimRuleVisitor)
    }
}

/// A scalar by its text, as claims are compared (see [`crate::token::scalar_text`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar(pub(super) String);

struct ScalarVisitor;

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        crate::token::scalar_text(&Value::from(value))
            .map(|text| Scalar(text.into_owned()))
            .ok_or_else(|| E::custom("the number is too large to be compared exactly"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }
}

/// One value, or a list of them.
#[derive(Debug)]
pub(super) struct OneOrMany<T> {
    pub(super) items: Vec<T>,
    /// Whether it was written as a list, which decides how its parts are named in errors.
    pub(super) is_list: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value or a list of them")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<OneOrMany<T>, E> {
                let text: StrDeserializer<'_, E> = value.into_deserializer();
                Ok(OneOrMany {
                    items: vec![T::deserialize(text)?],
                    is_list: false,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
                let item = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(OneOrMany {
                    items: vec![item],
                    is_list: false,
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany {
                    items,
                    is_list: true,
                })
            }
        }

        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}
