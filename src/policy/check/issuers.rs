//! Whose tokens are taken.

use super::{Checker, secs};
use crate::keys::KeySet;
use crate::policy::compiled::{ClaimSet, Issuer};
use crate::policy::identity::{Identity, IdentityField};
use crate::policy::preset::{Hosted, Preset};
use crate::policy::raw::{Named, OneOrMany, RawClaims, RawIssuer};
use crate::token::Algorithm;

impl Checker {
    /// Nothing if one of them has errors: what the rules say of issuers would be judged wrongly then.
    pub(super) fn issuers(&mut self, raw: Vec<RawIssuer>) -> Option<Vec<Issuer>> {
        if raw.is_empty() {
            self.error("issuers", "no issuer is trusted; name at least one");
        }
        let errors_before = self.errors.len();
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
        (self.errors.len() == errors_before).then_some(issuers)
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
        let named = self.iss(&at("issuer"), raw.issuer, preset);
        let hosted = named.as_ref().and_then(|(_, hosted)| *hosted);
        if let (Some(preset), Some(hosted)) = (preset, hosted)
            && preset.name != hosted.preset.name
        {
            let message = format!(
                "{:?} is not the preset of this issuer; {:?} is",
                preset.name, hosted.preset.name
            );
            self.error(at("preset"), message);
        }
        let audiences = self.audiences(&at("audience"), raw.audience);
        let algorithms = self.algorithms(&at("algorithms"), raw.algorithms, preset);
        let tenant_claims =
            self.tenant_claims(&at("tenant_claims"), raw.tenant_claims, hosted, preset);
        let required = self.required(&at("claims"), raw.claims);
        let identity = self.identity(&at("identity"), raw.identity, preset);
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
                let issuer = named.as_ref().map(|(issuer, _)| issuer.as_str());
                Some(self.jwks(&at("jwks"), raw.unwrap_or_default(), issuer, preset)?)
            }
        };
        Some(Issuer {
            issuer: named?.0,
            preset: preset.map(|preset| preset.name),
            audiences: audiences?,
            algorithms: algorithms?,
            tenant_claims: tenant_claims?,
            required,
            leeway: leeway?,
            max_lifetime: max_lifetime?,
            jwks,
            inline_keys,
            identity,
        })
    }

    /// What `iss` must be, and what is known of it.
    fn iss(
        &mut self,
        path: &str,
        raw: Option<String>,
        preset: Option<&Preset>,
    ) -> Option<(String, Option<Hosted>)> {
        let default = preset.and_then(|preset| preset.issuer).map(String::from);
        let Some(issuer) = raw.or(default).filter(|issuer| !issuer.is_empty()) else {
            let remedy = preset.map_or("write the token's `iss`, or name a preset", |preset| {
                preset.spelling
            });
            self.error(path, format!("is missing; {remedy}"));
            return None;
        };
        match Hosted::find(&issuer) {
            Ok(hosted) => Some((issuer, hosted)),
            Err(provider) => {
                let message = format!(
                    "{issuer:?} is no `iss` that {} writes, and they are compared byte for byte; {}",
                    provider.name, provider.spelling
                );
                self.error(path, message);
                None
            }
        }
    }

    /// A provider's own issuer signs for all of its customers, whether its preset was named or not: its
    /// tenants can be pinned by fewer claims than the preset's, but by no others and not by none.
    ///
    /// An issuer on the provider's host that is a customer's own (an enterprise's on GitHub) names that
    /// customer as well as a claim would, so there the pins, which are asked for still, can be waived.
    fn tenant_claims(
        &mut self,
        path: &str,
        raw: Option<Vec<String>>,
        hosted: Option<Hosted>,
        preset: Option<&Preset>,
    ) -> Option<Vec<String>> {
        let known = hosted
            .map(|hosted| hosted.preset)
            .or(preset)
            .map_or(&[][..], |preset| preset.tenant_claims);
        let Some(claims) = raw else {
            return Some(known.iter().copied().map(String::from).collect());
        };
        let pins_tenants =
            !claims.is_empty() && claims.iter().all(|claim| known.contains(&claim.as_str()));
        if hosted.is_some_and(|hosted| hosted.is_shared) && !pins_tenants {
            let message = format!(
                "this issuer signs for all of its customers, and only {known:?} tell them apart; leave this out"
            );
            self.error(path, message);
            return None;
        }
        Some(claims)
    }

    fn required(&mut self, path: &str, raw: Option<RawClaims>) -> ClaimSet {
        if raw.as_ref().is_some_and(|claims| claims.0.is_empty()) {
            self.error(path, "is empty; name a claim, or leave this out");
        }
        self.claims(path, raw.unwrap_or_default())
    }

    /// The preset's mapping with what is written over it, part by part.
    fn identity(
        &mut self,
        path: &str,
        raw: Option<Named<String>>,
        preset: Option<&Preset>,
    ) -> Identity {
        let written = raw.unwrap_or_default().0;
        let of_preset = preset.map(Preset::identity).unwrap_or_default();
        let mut identity = Vec::new();
        for field in IdentityField::ALL {
            let mut parts = written.iter();
            let claim = parts.find(|(part, _)| part == field.name());
            let claim = claim.map(|(_, claim)| claim.clone()).or_else(|| {
                let mut parts = of_preset.iter();
                let (_, claim) = parts.find(|(part, _)| *part == field)?;
                Some(claim.clone())
            });
            if claim.as_ref().is_some_and(String::is_empty) {
                let message = "is empty; write a claim's name, or leave this out";
                self.error(format!("{path}.{}", field.name()), message);
            }
            identity.extend(claim.map(|claim| (field, claim)));
        }
        for (name, _) in &written {
            let known = IdentityField::ALL.map(IdentityField::name);
            if known.contains(&name.as_str()) {
                continue;
            }
            let message = format!("{name:?} is no part of a job's identity; there are {known:?}");
            self.error(format!("{path}.{name}"), message);
        }
        identity
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
}
