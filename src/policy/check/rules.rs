//! Rules, and whether each rule pins its tenant.

use super::roles::Roles;
use super::{At, Checker};
use crate::policy::certificate::CertificateTest;
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::{ClaimSet, Effect, Exchange, Issuer, Replay, Rule};
use crate::policy::glob::{ClaimGlob, PathGlob};
use crate::policy::host_glob::HostGlob;
use crate::policy::matcher::ClaimTest;
use crate::policy::pin::{is_pinned, pinned_roles};
use crate::policy::preset::Hosted;
use crate::policy::raw::{
    OneOrMany, RawCertificate, RawClaimRule, RawClaims, RawEffect, RawOnFailure, RawReplay,
    RawRule, Scalar,
};
use crate::policy::schedule::{RawWindow, Schedule};
use crate::policy::when::When;
use crate::sort::sort_by;
use std::collections::HashSet;

impl Checker {
    /// The rules, sorted by id.
    #[expect(clippy::vec_box, reason = "they are boxed as they are read")]
    pub(super) fn rules(
        &mut self,
        raw: Vec<Box<RawRule>>,
        roles: &Roles,
        issuers: Option<&[Issuer]>,
        targets: &[&str],
    ) -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::with_capacity(raw.len());
        let mut ids: HashSet<String> = HashSet::with_capacity(raw.len());
        let pinned: Vec<Vec<bool>> = issuers
            .unwrap_or_default()
            .iter()
            .map(|issuer| pinned_roles(&roles.roles, &roles.order, issuer))
            .collect();
        for (nth, raw) in raw.into_iter().enumerate() {
            let list = At::from("rules");
            let path = list.item(nth);
            self.name(path.member("id"), &raw.id);
            if !ids.insert(raw.id.clone()) {
                self.error(
                    path.member("id"),
                    format!("{:?} is the id of two rules; ids are unique", raw.id),
                );
            }
            let errors_before = self.errors.len();
            let rule = self.rule(path, nth, *raw, roles, issuers, targets);
            // A rule with errors, or whose issuer or roles have some, may look unpinned only because of them.
            let is_sound = self.errors.len() == errors_before && roles.are_ordered();
            if let Some(issuers) = issuers.filter(|_| is_sound) {
                self.require_pins(path, &rule, &pinned, issuers);
            }
            rules.push(rule);
        }
        sorted_by_id(rules)
    }

    fn rule(
        &mut self,
        path: At<'_>,
        place: usize,
        raw: RawRule,
        roles: &Roles,
        issuers: Option<&[Issuer]>,
        targets: &[&str],
    ) -> Rule {
        let at = |field| path.member(field);
        let of_issuers = match (raw.issuer, issuers) {
            (Some(names), Some(issuers)) => self.rule_issuers(at("issuer"), names, issuers),
            _ => Vec::new(),
        };
        let names = self.non_empty(at("roles"), raw.roles);
        let places = self.role_places(at("roles"), &names, roles);
        let routes = self.non_empty(at("routes"), raw.routes);
        for (nth, name) in routes.iter().enumerate() {
            if name.is_empty() {
                self.error(
                    at("routes").item(nth),
                    "is empty; write the name that the gateway gives to a route or service",
                );
            }
        }
        let texts = self.non_empty(at("hosts"), raw.hosts);
        let mut hosts = Vec::with_capacity(texts.len());
        for (nth, text) in texts.iter().enumerate() {
            hosts.extend(self.ok(at("hosts").item(nth), HostGlob::parse(text)));
        }
        let methods = self.non_empty(at("methods"), raw.methods);
        for (nth, method) in methods.iter().enumerate() {
            if method.is_empty()
                || !method
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
            {
                let message =
                    format!("{method:?} is no method; they are in upper case, like \"POST\"");
                self.error(at("methods").item(nth), message);
            }
        }
        let texts = self.non_empty(at("paths"), raw.paths);
        let mut paths = Vec::with_capacity(texts.len());
        for (nth, text) in texts.iter().enumerate() {
            paths.extend(self.ok(at("paths").item(nth), PathGlob::parse(text)));
        }
        let effect = match raw.effect {
            RawEffect::Allow => Effect::Allow,
            RawEffect::Deny => Effect::Deny,
        };
        let claims = self.claims(at("claims"), raw.claims);
        let replay = match raw.replay {
            RawReplay::Allow => Replay::Allow,
            RawReplay::Once => Replay::Once,
        };
        if (effect, replay) == (Effect::Deny, Replay::Once) {
            self.error(
                at("replay"),
                "is for rules that let tokens through; a deny rule lets none, so leave it out",
            );
        }
        let when = raw
            .when
            .and_then(|source| self.ok(at("when"), When::compile(&source)));
        let exchange =
            self.rule_exchange(path, raw.exchange, raw.on_exchange_failure, effect, targets);
        Rule {
            id: raw.id,
            place,
            effect,
            shadow: raw.shadow,
            issuers: of_issuers,
            routes,
            hosts,
            roles: places,
            methods,
            paths,
            claims,
            schedule: raw
                .schedule
                .and_then(|windows| self.schedule(at("schedule"), windows)),
            when,
            certificate: raw
                .client_certificate
                .map(|raw| self.certificate(at("client_certificate"), raw)),
            replay,
            exchange,
        }
    }

    fn rule_exchange(
        &mut self,
        path: At<'_>,
        name: Option<String>,
        on_failure: Option<RawOnFailure>,
        effect: Effect,
        targets: &[&str],
    ) -> Option<Exchange> {
        let Some(name) = name else {
            if on_failure.is_some() {
                self.error(
                    path.member("on_exchange_failure"),
                    "is for rules with exchange",
                );
            }
            return None;
        };
        let path = path.member("exchange");
        if effect == Effect::Deny {
            self.error(
                path,
                "is for rules that let requests through; a deny rule lets none, so leave it out",
            );
        }
        let Ok(target) = targets.binary_search(&&*name) else {
            self.error(
                path,
                format!("{name:?} is no member of the policy's exchange; there are {targets:?}"),
            );
            return None;
        };
        Some(Exchange {
            target,
            may_fail: matches!(on_failure, Some(RawOnFailure::Pass)),
        })
    }

    fn schedule(&mut self, path: At<'_>, raw: OneOrMany<RawWindow>) -> Option<Schedule> {
        Schedule::check(path, raw)
            .map_err(|errors| self.errors.extend(errors))
            .ok()
    }

    fn certificate(&mut self, path: At<'_>, raw: RawCertificate) -> CertificateTest {
        let mut globs = |member: &str, raw: Option<OneOrMany<String>>| {
            let path = path.member(member);
            let texts = self.non_empty(path, raw.map(|globs| globs.items));
            let globs = texts.iter().map(|text| ClaimGlob::parse(text));
            globs.filter_map(|glob| self.ok(path, glob)).collect()
        };
        CertificateTest {
            subject: globs("subject", raw.subject),
            uri_san: globs("uri_san", raw.uri_san),
            dns_san: globs("dns_san", raw.dns_san),
        }
    }

    /// The places of the issuers that a rule names, each by its `iss` or by its preset.
    fn rule_issuers(
        &mut self,
        path: At<'_>,
        names: OneOrMany<String>,
        issuers: &[Issuer],
    ) -> Vec<usize> {
        let is_list = names.is_list;
        let mut places = Vec::new();
        for (nth, name) in self
            .non_empty(path, Some(names.items))
            .into_iter()
            .enumerate()
        {
            let path = if is_list { path.item(nth) } else { path };
            let named: Vec<_> = (0..)
                .zip(issuers)
                .filter(|(_, issuer)| issuer.issuer == name || issuer.preset == Some(&*name))
                .collect();
            match named.as_slice() {
                [(place, _)] => places.push(*place),
                [] => {
                    let known: Vec<_> = issuers
                        .iter()
                        .flat_map(|issuer| [Some(&*issuer.issuer), issuer.preset])
                        .flatten()
                        .collect();
                    let message =
                        format!("{name:?} is no issuer of this policy; there are {known:?}");
                    self.error(path, message);
                }
                several => {
                    let known: Vec<_> = several.iter().map(|(_, issuer)| &issuer.issuer).collect();
                    let message = format!("{name:?} could be any of {known:?}; write which");
                    self.error(path, message);
                }
            }
        }
        places
    }

    /// A list that, where it is written, must not be empty: is an empty one "any" or "none"?
    pub(super) fn non_empty<'a>(
        &mut self,
        path: impl Into<At<'a>>,
        list: Option<Vec<String>>,
    ) -> Vec<String> {
        if list.as_ref().is_some_and(Vec::is_empty) {
            self.error(
                path.into(),
                "is empty, which matches nothing; name one, or leave the list out for any",
            );
        }
        list.unwrap_or_default()
    }

    fn require_pins(
        &mut self,
        path: At<'_>,
        rule: &Rule,
        pinned: &[Vec<bool>],
        issuers: &[Issuer],
    ) {
        for ((place, issuer), pinned) in issuers.iter().enumerate().zip(pinned) {
            if !is_pinned(rule, pinned, place, issuer) {
                // Of a shared issuer pins cannot be waived.
                let waiver = match Hosted::find(&issuer.issuer) {
                    Ok(Some(hosted)) if hosted.is_shared => "",
                    _ => "; if the issuer serves only you, give it tenant_claims: []",
                };
                let message = format!(
                    "any customer of {} could meet this rule; pin the tenant in its claims, in each of its roles or in the issuer's claims: {} by equals, in, or matches without a leading wildcard{waiver}",
                    issuer.issuer,
                    issuer.tenant_claims.join(" or ")
                );
                self.error(path, message);
            }
        }
    }

    pub(super) fn claims<'a>(&mut self, path: impl Into<At<'a>>, raw: RawClaims) -> ClaimSet {
        let path = path.into();
        let mut tests = Vec::with_capacity(raw.0.len());
        for (name, raw) in raw.0 {
            let test = self.claim(path.member(&name), raw);
            match ClaimName::read(name) {
                Ok(name) => tests.push((name, test)),
                Err((name, message)) => self.error(path.member(&name), message),
            }
        }
        ClaimSet(tests)
    }

    fn claim(&mut self, path: At<'_>, raw: RawClaimRule) -> ClaimTest {
        let texts = |list: Vec<Scalar>| list.into_iter().map(|scalar| scalar.0).collect::<Vec<_>>();
        let lists_nothing = [
            ("in", raw.one_of.as_ref().is_some_and(Vec::is_empty)),
            ("not_in", raw.none_of.as_ref().is_some_and(Vec::is_empty)),
            (
                "matches",
                raw.matches
                    .as_ref()
                    .is_some_and(|globs| globs.items.is_empty()),
            ),
        ];
        for (name, _) in lists_nothing.into_iter().filter(|(_, empty)| *empty) {
            self.error(path.member(name), "is empty; list at least one value");
        }
        let matches = raw.matches.map(|globs| {
            let path = path.member("matches");
            globs
                .items
                .iter()
                .filter_map(|text| self.ok(path, ClaimGlob::parse(text)))
                .collect()
        });
        let test = ClaimTest {
            equals: raw.equals.map(|scalar| scalar.0),
            not_equals: raw.not_equals.map(|scalar| scalar.0),
            one_of: raw.one_of.map(texts),
            none_of: raw.none_of.map(texts),
            matches,
        };
        if test == ClaimTest::default() {
            self.error(path, "asks for nothing; write a value, or one of equals, not_equals, in, not_in, matches");
        }
        test
    }
}

fn sorted_by_id(mut rules: Vec<Rule>) -> Vec<Rule> {
    // Rules are too large to be moved as often as sorting does, and too many to be there twice.
    let names = rules.iter().map(|rule| &*rule.id);
    let mut order: Vec<(&str, usize)> = names.zip(0..).collect();
    sort_by(&mut order, |a, b| a < b);
    // Where each of them belongs.
    let mut targets = vec![0; rules.len()];
    for (target, (_, place)) in order.into_iter().enumerate() {
        if let Some(entry) = targets.get_mut(place) {
            *entry = target;
        }
    }
    for place in 0..rules.len() {
        // Each turn brings one to where it belongs.
        while let Some(target) = targets.get(place).copied().filter(|it| *it != place) {
            rules.swap(place, target);
            targets.swap(place, target);
        }
    }
    rules
}
