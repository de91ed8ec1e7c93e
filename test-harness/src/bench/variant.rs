//! What is compared.

use super::error::Error;
use super::filters::Filters;
use super::tokens::Pool;
use crate::keys::Algorithm;

/// One of the Envoys that are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    /// Its name in the summary and on the command line.
    pub(super) id: &'static str,
    /// Its name in tables.
    pub(super) title: &'static str,
    pub(super) filters: Filters,
    /// The tokens that it is sent.
    pub(super) pool: Pool,
    /// What Envoy's own filters do for the same, by id.
    pub(super) native: Option<&'static str>,
}

const fn jwt(algorithm: Algorithm, cache: bool, policy: bool) -> Filters {
    Filters::Jwt {
        algorithm,
        cache,
        policy,
    }
}

const fn jobgate(algorithm: Algorithm, rules: usize, host_crypto: bool) -> Filters {
    Filters::Jobgate {
        algorithm,
        rules,
        host_crypto,
        recorded: false,
    }
}

use Algorithm::{EdDsa, Es256, Rs256};

/// All of them. What is compared stands side by side, so that it is measured soon after each other.
pub(super) const ALL: [Variant; 17] = [
    Variant {
        id: "none",
        title: "no filter",
        filters: Filters::None,
        pool: Pool::Warm(Rs256),
        native: None,
    },
    Variant {
        id: "empty-wasm",
        title: "empty Wasm filter",
        filters: Filters::Empty,
        pool: Pool::Warm(Rs256),
        native: None,
    },
    Variant {
        id: "host-calls",
        title: "Jobgate's calls to the host and no more",
        filters: Filters::Calls,
        pool: Pool::Warm(Rs256),
        native: Some("native-warm"),
    },
    Variant {
        id: "jwt-cache",
        title: "jwt_authn, its cache",
        filters: jwt(Rs256, true, false),
        pool: Pool::Warm(Rs256),
        native: None,
    },
    Variant {
        id: "native-warm",
        title: "jwt_authn, its cache, claim headers, RBAC",
        filters: jwt(Rs256, true, true),
        pool: Pool::Warm(Rs256),
        native: None,
    },
    Variant {
        id: "jobgate-warm",
        title: "Jobgate, token known",
        filters: jobgate(Rs256, 1, true),
        pool: Pool::Warm(Rs256),
        native: Some("native-warm"),
    },
    Variant {
        id: "jobgate-recorded",
        title: "Jobgate, token known, each request on record",
        filters: Filters::Jobgate {
            algorithm: Rs256,
            rules: 1,
            host_crypto: true,
            recorded: true,
        },
        pool: Pool::Warm(Rs256),
        native: Some("native-warm"),
    },
    Variant {
        id: "jobgate-10-rules",
        title: "Jobgate, token known, 10 rules",
        filters: jobgate(Rs256, 10, true),
        pool: Pool::Warm(Rs256),
        native: Some("native-warm"),
    },
    Variant {
        id: "jobgate-10000-rules",
        title: "Jobgate, token known, 10,000 rules",
        filters: jobgate(Rs256, 10_000, true),
        pool: Pool::Warm(Rs256),
        native: Some("native-warm"),
    },
    Variant {
        id: "jwt",
        title: "jwt_authn RS256, no cache",
        filters: jwt(Rs256, false, false),
        pool: Pool::Cold(Rs256),
        native: None,
    },
    Variant {
        id: "native-cold",
        title: "jwt_authn RS256, claim headers, RBAC",
        filters: jwt(Rs256, false, true),
        pool: Pool::Cold(Rs256),
        native: None,
    },
    Variant {
        id: "jobgate-cold-host",
        title: "Jobgate RS256, new tokens, host's crypto",
        filters: jobgate(Rs256, 1, true),
        pool: Pool::Cold(Rs256),
        native: Some("native-cold"),
    },
    Variant {
        id: "jobgate-cold-wasm",
        title: "Jobgate RS256, new tokens, own crypto",
        filters: jobgate(Rs256, 1, false),
        pool: Pool::Cold(Rs256),
        native: Some("native-cold"),
    },
    Variant {
        id: "native-es256",
        title: "jwt_authn ES256, claim headers, RBAC",
        filters: jwt(Es256, false, true),
        pool: Pool::Cold(Es256),
        native: None,
    },
    Variant {
        id: "jobgate-es256",
        title: "Jobgate ES256, new tokens",
        filters: jobgate(Es256, 1, true),
        pool: Pool::Cold(Es256),
        native: Some("native-es256"),
    },
    Variant {
        id: "native-eddsa",
        title: "jwt_authn EdDSA, claim headers, RBAC",
        filters: jwt(EdDsa, false, true),
        pool: Pool::Cold(EdDsa),
        native: None,
    },
    Variant {
        id: "jobgate-eddsa",
        title: "Jobgate EdDSA, new tokens",
        filters: jobgate(EdDsa, 1, true),
        pool: Pool::Cold(EdDsa),
        native: Some("native-eddsa"),
    },
];

/// What all others are compared with.
pub(super) const NONE: &str = "none";

/// The variants with these ids, in the order above, or all if there are none. With each comes what it is compared with.
pub(super) fn chosen(ids: &[String]) -> Result<Vec<&'static Variant>, Error> {
    if ids.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let mut wanted = vec![NONE];
    for id in ids {
        let variant = ALL.iter().find(|variant| variant.id == id);
        let variant = variant.ok_or_else(|| Error::NoVariant {
            name: id.clone(),
            known: ALL.iter().map(|variant| variant.id).collect(),
        })?;
        wanted.push(variant.id);
        wanted.extend(variant.native);
    }
    Ok(ALL
        .iter()
        .filter(|variant| wanted.contains(&variant.id))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_can_be_told_apart_and_compared() {
        for (nth, variant) in ALL.iter().enumerate() {
            assert!(ALL[..nth].iter().all(|other| other.id != variant.id));
            if let Some(native) = variant.native {
                let native = ALL.iter().find(|other| other.id == native).unwrap();
                assert_eq!(native.pool, variant.pool);
            }
        }
    }

    #[test]
    fn what_is_chosen_brings_its_counterpart() {
        let ids = |chosen: &[&str]| {
            let chosen: Vec<_> = chosen.iter().map(|id| (*id).to_owned()).collect();
            let variants = super::chosen(&chosen)?;
            Ok::<_, Error>(
                variants
                    .iter()
                    .map(|variant| variant.id)
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(ids(&[]).unwrap().len(), ALL.len());
        assert_eq!(
            ids(&["jobgate-warm"]).unwrap(),
            ["none", "native-warm", "jobgate-warm"]
        );
        assert!(
            ids(&["warm"])
                .unwrap_err()
                .to_string()
                .contains("jobgate-warm")
        );
    }
}
