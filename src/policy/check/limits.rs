//! How often jobs are let through.

use super::roles::Roles;
use super::{Checker, is_word};
use crate::limit::{Enforcer, Limit, Rate, Tier, WhenUnavailable, WrongRate};
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::{Effect, HeaderNames, Rule};
use crate::policy::raw::{RawEnforcer, RawLimit, RawTier, RawUnavailable};

/// The most limits of a policy: each that is for a request costs it a look at shared data.
const MAX_LIMITS: usize = 16;

/// The most claims of a key.
const MAX_KEY: usize = 8;

impl Checker {
    /// The limits, sorted by id: their order in the configuration never matters. The headers of those that are
    /// handed on join the names.
    pub(super) fn limits(
        &mut self,
        raw: Vec<RawLimit>,
        roles: &Roles,
        rules: &[Rule],
        headers: &mut HeaderNames,
    ) -> Option<Vec<Limit>> {
        if raw.len() > MAX_LIMITS {
            let message = format!("has {} limits; at most {MAX_LIMITS} are counted", raw.len());
            self.error("limits", message);
            return None;
        }
        let errors_before = self.errors.len();
        let mut limits: Vec<Limit> = Vec::new();
        let mut ids: Vec<String> = Vec::new();
        for (nth, raw) in raw.into_iter().enumerate() {
            let path = format!("limits[{nth}]");
            self.name(&format!("{path}.id"), &raw.id);
            if ids.contains(&raw.id) {
                self.error(
                    format!("{path}.id"),
                    format!("{:?} is the id of two limits; ids are unique", raw.id),
                );
            }
            ids.push(raw.id.clone());
            if let Some(limit) = self.limit(&path, raw, roles, rules, headers) {
                let place = limits.partition_point(|before| before.id < limit.id);
                limits.insert(place, limit);
            }
        }
        (self.errors.len() == errors_before).then_some(limits)
    }

    fn limit(
        &mut self,
        path: &str,
        raw: RawLimit,
        roles: &Roles,
        rules: &[Rule],
        headers: &mut HeaderNames,
    ) -> Option<Limit> {
        let at = |field: &str| format!("{path}.{field}");
        let key = self.limit_key(&at("key"), raw.key);
        let of_rules = self.limit_rules(&at("rules"), raw.rules, rules);
        let enforcer = match raw.enforce_by {
            RawEnforcer::Gateway => {
                for (field, is_written) in [
                    ("rate", raw.rate.is_some()),
                    ("burst", raw.burst.is_some()),
                    ("tiers", raw.tiers.is_some()),
                    ("unavailable", raw.unavailable.is_some()),
                ] {
                    if is_written {
                        self.error(
                            at(field),
                            "is for limits that the gate counts; with enforce_by: gateway it is set in the gateway's limiter, so leave it out",
                        );
                    }
                }
                if !raw.id.split('-').all(is_word) {
                    let message = format!(
                        "{:?} becomes the name of a header; write lower-case letters, digits and single \"-\" between them",
                        raw.id
                    );
                    self.error(at("id"), message);
                }
                Enforcer::Gateway {
                    header: headers.add_limit(&raw.id),
                }
            }
            RawEnforcer::Gate => {
                let Some(rate) = raw.rate else {
                    let message = "is missing; write one like \"30/m\", or enforce_by: gateway if the gateway's own limiter counts";
                    self.error(at("rate"), message);
                    return None;
                };
                let rate = self.rate(path, &rate, raw.burst);
                let tiers = raw.tiers.unwrap_or_default();
                let tiers = (0_usize..)
                    .zip(tiers)
                    .filter_map(|(nth, tier)| {
                        self.tier(&format!("{path}.tiers[{nth}]"), tier, roles)
                    })
                    .collect();
                Enforcer::Gate {
                    rate: rate?,
                    tiers,
                    unavailable: match raw.unavailable {
                        None | Some(RawUnavailable::Deny) => WhenUnavailable::Deny,
                        Some(RawUnavailable::Allow) => WhenUnavailable::Allow,
                    },
                }
            }
        };
        Some(Limit {
            id: raw.id,
            key,
            rules: of_rules,
            enforcer,
        })
    }

    /// The claims by which a limit counts, sorted: their order in the configuration never matters.
    fn limit_key(&mut self, path: &str, names: Vec<String>) -> Vec<ClaimName> {
        if names.is_empty() {
            self.error(
                path,
                "is empty, so all jobs would share one bucket; name the claims that tell them apart",
            );
        }
        if names.len() > MAX_KEY {
            let message = format!("names {} claims; at most {MAX_KEY} are read", names.len());
            self.error(path, message);
        }
        let mut key: Vec<ClaimName> = Vec::new();
        for (nth, name) in names.iter().enumerate() {
            let path = format!("{path}[{nth}]");
            if name.is_empty() {
                self.error(path, "is empty; name a claim");
            } else if let Some(name) = self.ok(&path, ClaimName::parse(name)) {
                if key.contains(&name) {
                    let written = name.as_str();
                    self.error(
                        path,
                        format!("{written:?} is there twice; name each claim once"),
                    );
                }
                let place = key.partition_point(|before| *before < name);
                key.insert(place, name);
            }
        }
        key
    }

    fn limit_rules(
        &mut self,
        path: &str,
        names: Option<Vec<String>>,
        rules: &[Rule],
    ) -> Vec<usize> {
        let mut places = Vec::new();
        for (nth, name) in self.non_empty(path, names).into_iter().enumerate() {
            let found = (0..).zip(rules).find(|(_, rule)| rule.id == name);
            match found {
                Some((place, rule)) if rule.effect == Effect::Allow => places.push(place),
                Some(_) => self.error(
                    format!("{path}[{nth}]"),
                    format!(
                        "{name:?} is a deny rule, which lets nothing through that could be counted"
                    ),
                ),
                None => self.error(
                    format!("{path}[{nth}]"),
                    format!("{name:?} is no rule of this policy; write the id of an allow rule"),
                ),
            }
        }
        places
    }

    fn tier(&mut self, path: &str, raw: RawTier, roles: &Roles) -> Option<Tier> {
        if raw.roles.is_none() && raw.claims.0.is_empty() {
            self.error(
                path,
                "is for every job; name roles or claims, or write its rate as the limit's",
            );
        }
        let names = self.non_empty(&format!("{path}.roles"), raw.roles);
        let places = self.role_places(&format!("{path}.roles"), &names, roles);
        let claims = self.claims(&format!("{path}.claims"), raw.claims);
        Some(Tier {
            roles: places,
            claims,
            rate: self.rate(path, &raw.rate, raw.burst)?,
        })
    }

    /// A rate, with a bucket that holds as many tokens as come in its unit of time unless it is said.
    pub(super) fn rate(&mut self, path: &str, text: &str, burst: Option<u64>) -> Option<Rate> {
        let (count, per) = self.ok(&format!("{path}.rate"), Rate::parse(text))?;
        match Rate::new(count, per, burst.unwrap_or(count)) {
            Ok(rate) => Some(rate),
            Err(WrongRate::Rate(message)) => {
                self.error(format!("{path}.rate"), format!("{text:?} {message}"));
                None
            }
            Err(WrongRate::Burst(message)) => {
                self.error(format!("{path}.burst"), message);
                None
            }
        }
    }
}
