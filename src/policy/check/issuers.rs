//! Whose tokens are taken, and where their keys come from.

use super::{Checker, secs};
use crate::keys::{JwksSource, JwksUri, KeySet};
use crate::policy::compiled::Issuer;
use crate::policy::preset::{Preset, shared_tenants};
use crate::policy::raw::{OneOrMany, RawIssuer, RawJwks};
use crate::token::Algorithm;
use std::time::Duration;

impl Checker {
    pub(super) fn issuers(&mut self, raw: Vec<RawIssuer>) -> Vec<Issuer> {
        if raw.is_empty() {
            self.error("issuers", "no issuer is trusted; name at least one");
        }
        let mut issuers: Vec<Issuer> = Vec::new();
        for (nth, raw) in raw.into_iter().enumerate() {
            let path = format!("issuers[{nth}]");
            let Some(issuer) = self.issuer(&path, raw) else {
                continue;
            };
            if issuers.iter().any(|other| other.issuer == issuer.issuer) {
                let message = format!(
                    "{:?} is named twice; give one issuer both audiences",
                    issuer.issuer
                );
                self.error(format!("{path}.issuer"), message);
            }
            issuers.push(issuer);
        }
        issuers
    }

    fn issuer(&mut self, path: &str, raw: RawIssuer) -> Option<Issuer> {
        let at = |field: &str| format!("{path}.{field}");
        let preset = match raw.preset.as_deref() {
            None => None,
            Some(name) => match Preset::named(name) {
                Some(preset) => Some(preset),
                None => {
                    let known: Vec<_> = Preset::ALL.iter().map(|preset| preset.name).collect();
                    self.error(
                        at("preset"),
                        format!("{name:?} is no preset; there is {known:?}"),
                    );
                    return None;
                }
            },
        };
        let issuer = raw
            .issuer
            .clone()
            .or_else(|| preset.map(|preset| preset.issuer.into()));
        if issuer.as_deref().is_none_or(str::is_empty) {
            self.error(
                at("issuer"),
                "is missing; write the token's `iss`, or name a preset",
            );
        }
        let is_presets_own = preset.is_some_and(|preset| issuer.as_deref() == Some(preset.issuer));
        let audiences = self.audiences(&at("audience"), raw.audience);
        let algorithms = self.algorithms(&at("algorithms"), raw.algorithms, preset);
        let tenant_claims = self.tenant_claims(
            &at("tenant_claims"),
            raw.tenant_claims,
            issuer.as_deref(),
            preset,
        )?;
        let leeway = self.span(&at("leeway"), raw.leeway, secs(30), secs(0)..=secs(600));
        let default = preset.map_or(secs(3_600), |preset| preset.max_lifetime);
        let max_lifetime = self.span(
            &at("max_lifetime"),
            raw.max_lifetime,
            default,
            secs(1)..=secs(7 * 86_400),
        );
        let inline_keys = match raw.keys {
            None => None,
            Some(document) => {
                let path = at("keys");
                let set = KeySet::from_value(&document)
                    .map_err(|error| format!("{error}; paste the issuer's JWKS document"));
                Some(self.ok(&path, set)?)
            }
        };
        let jwks = match (raw.jwks, inline_keys.is_some()) {
            (None, true) => None,
            (raw, _) => {
                // Another issuer than the preset's must not be proven with the preset's keys.
                let default = preset
                    .filter(|_| is_presets_own)
                    .map(|preset| preset.jwks_uri);
                Some(self.jwks(&at("jwks"), raw.unwrap_or_default(), default)?)
            }
        };
        Some(Issuer {
            issuer: issuer?,
            audiences: audiences?,
            algorithms: algorithms?,
            tenant_claims,
            leeway: leeway?,
            max_lifetime: max_lifetime?,
            jwks,
            inline_keys,
            identity: preset.map_or(&[], |preset| preset.identity),
        })
    }

    /// A provider's own issuer signs for all of its customers, whether its preset was named or not: its
    /// tenants can be pinned by fewer claims than the preset's, but by no others and not by none.
    fn tenant_claims(
        &mut self,
        path: &str,
        raw: Option<Vec<String>>,
        issuer: Option<&str>,
        preset: Option<&Preset>,
    ) -> Option<Vec<String>> {
        let shared = issuer.and_then(shared_tenants);
        let of_preset = preset.map(|preset| preset.tenant_claims);
        let known = shared.or(of_preset).unwrap_or_default();
        let Some(claims) = raw else {
            return Some(known.iter().copied().map(String::from).collect());
        };
        let pins_tenants =
            !claims.is_empty() && claims.iter().all(|claim| known.contains(&claim.as_str()));
        if shared.is_some() && !pins_tenants {
            let message = format!(
                "this issuer signs for all of its customers, and only {known:?} tell them apart; leave this out"
            );
            self.error(path, message);
            return None;
        }
        Some(claims)
    }

    fn audiences(&mut self, path: &str, raw: OneOrMany<String>) -> Option<Vec<String>> {
        if raw.items.is_empty() || raw.items.iter().any(String::is_empty) {
            self.error(
                path,
                "is empty; write the audience that jobs ask their token for",
            );
            return None;
        }
        Some(raw.items)
    }

    fn algorithms(
        &mut self,
        path: &str,
        raw: Option<Vec<String>>,
        preset: Option<&Preset>,
    ) -> Option<Vec<Algorithm>> {
        let known: Vec<_> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.name())
            .collect();
        let Some(names) = raw else {
            let defaults = preset.map(|preset| preset.algorithms.to_vec());
            if defaults.is_none() {
                self.error(
                    path,
                    format!("is missing; list what the issuer signs with, of {known:?}"),
                );
            }
            return defaults;
        };
        if names.is_empty() {
            self.error(
                path,
                format!("is empty; list what the issuer signs with, of {known:?}"),
            );
            return None;
        }
        let mut algorithms = Vec::new();
        for (nth, name) in names.iter().enumerate() {
            match Algorithm::ALL
                .iter()
                .find(|algorithm| algorithm.name() == name)
            {
                Some(algorithm) => algorithms.push(*algorithm),
                None => {
                    let message = format!("{name:?} is not supported; supported are {known:?}");
                    self.error(format!("{path}[{nth}]"), message);
                }
            }
        }
        (algorithms.len() == names.len()).then_some(algorithms)
    }

    fn jwks(&mut self, path: &str, raw: RawJwks, default: Option<&str>) -> Option<JwksSource> {
        let at = |field: &str| format!("{path}.{field}");
        let uri = match raw.uri.as_deref().or(default) {
            Some(uri) => self.ok(&at("uri"), JwksUri::parse(uri)),
            None => {
                self.error(
                    at("uri"),
                    "is missing; write the address of the issuer's key set",
                );
                None
            }
        };
        let refresh = self.span(
            &at("refresh"),
            raw.refresh,
            secs(600),
            secs(10)..=secs(86_400),
        );
        let timeout = self.span(
            &at("timeout"),
            raw.timeout,
            secs(5),
            Duration::from_millis(100)..=secs(60),
        );
        let max_stale = self.span(
            &at("max_stale"),
            raw.max_stale,
            secs(86_400),
            secs(10)..=secs(30 * 86_400),
        );
        let (uri, refresh, max_stale) = (uri?, refresh?, max_stale?);
        if max_stale < refresh {
            self.error(
                at("max_stale"),
                "is shorter than refresh, so keys would be dropped before the next fetch",
            );
        }
        let cluster = raw.cluster.unwrap_or_else(|| uri.host_and_port());
        if cluster.is_empty()
            || cluster.contains("://")
            || !cluster.bytes().all(|byte| byte.is_ascii_graphic())
        {
            self.error(
                at("cluster"),
                format!(
                    "{cluster:?} is no server; write Envoy's cluster name, or host:port on Kong"
                ),
            );
        }
        Some(JwksSource {
            cluster,
            uri,
            refresh,
            timeout: timeout?,
            max_stale,
        })
    }
}
