//! The policy that requests are decided with. Everything in it was checked; nothing is parsed again.

use super::certificate::CertificateTest;
use super::claim_name::ClaimName;
use super::facts::Needs;
use super::glob::PathGlob;
use super::host_glob::HostGlob;
use super::identity::{Identity, IdentityField};
use super::index::Index;
use super::matcher::ClaimTest;
use super::schedule::Schedule;
use super::share::Share;
use super::when::When;
use crate::assertion::AssertionPolicy;
use crate::exchange::Target;
use crate::keys::{JwksSource, KeySet};
use crate::limit::{Limit, Rate};
use crate::revocation::RevocationPolicy;
use crate::session::SessionPolicy;
use crate::token::{Algorithm, CacheLimits, Carrier, Claims};
use std::time::Duration;

/// A route's policy.
#[derive(Debug)]
pub struct Policy {
    /// Whether refusals block.
    pub mode: Mode,
    /// Who may sign; at least one.
    pub issuers: Vec<Issuer>,
    /// Where the token is.
    pub carrier: Carrier,
    /// The names of the headers that the upstream gets.
    pub headers: HeaderNames,
    /// The roles, sorted by name.
    pub roles: Vec<Role>,
    /// The places of all roles, each after those that it includes.
    pub role_order: Vec<usize>,
    /// The claims that conditions look at, sorted by name.
    pub claims_read: Vec<ClaimName>,
    /// The rules, sorted by id: their order in the configuration never matters.
    pub rules: Vec<Rule>,
    /// How much is told to whom.
    pub audit: Audit,
    /// Whether the host has shared data, where it can't be asked (Kong).
    pub shared_data: bool,
    /// Whether word of the route that was judged is left even if no rule looks at it (Envoy).
    pub note_route: bool,
    /// `sha256:` and the digest of the configuration's canonical form, in hex.
    pub digest: String,
    /// How much the verified-token cache may hold.
    pub cache: CacheLimits,
    /// What is revoked.
    pub revocations: RevocationPolicy,
    /// How often jobs are let through, sorted by id.
    pub limits: Vec<Limit>,
    /// How many tokens of one source address may fail verification in each worker, if that is limited.
    pub failed_verifications: Option<Rate>,
    /// How the gate vouches to the upstream for jobs, if it does.
    pub assertion: Option<AssertionPolicy>,
    /// What jobs' tokens are exchanged for, sorted by name.
    pub exchange: Vec<Target>,
    /// Whether jobs whose sessions have ended are refused, and how sessions end.
    pub sessions: Option<SessionPolicy>,
    /// The places of all issuers, sorted by their names.
    pub(super) issuer_order: Vec<usize>,
    /// Finds the rules and roles that a request is about.
    pub(super) index: Index,
}

impl Policy {
    /// Whether a rule lets tokens through once.
    #[must_use]
    pub fn uses_tokens_up(&self) -> bool {
        self.rules.iter().any(|rule| rule.replay == Replay::Once)
    }

    /// The issuer of this name, byte for byte, by its place.
    #[must_use]
    pub fn issuer_of(&self, name: &str) -> Option<usize> {
        let named = |place: &usize| self.issuers.get(*place).map(|it| it.issuer.as_str());
        let place = self
            .issuer_order
            .binary_search_by(|place| named(place).cmp(&Some(name)));
        self.issuer_order.get(place.ok()?).copied()
    }

    /// What its rules look at that the host must be asked for.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let any = |test: fn(&Rule) -> bool| self.rules.iter().any(test);
        let routes = any(|rule| !rule.routes.is_empty() || rule.when.is_some());
        Needs {
            route: routes || self.note_route,
            service: routes,
            certificate: any(|rule| rule.certificate.is_some()),
        }
    }

    /// The names of the roles at these places.
    pub(crate) fn role_names<'a>(
        &'a self,
        places: &'a [usize],
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        places
            .iter()
            .filter_map(|place| self.roles.get(*place))
            .map(|role| role.name.as_str())
    }
}

/// Whether refusals block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Enforce,
    /// They are recorded and told to the upstream; the request goes on.
    Shadow,
}

/// One who signs tokens, and what is asked of them.
#[derive(Debug)]
pub struct Issuer {
    /// `iss`, compared byte for byte.
    pub issuer: String,
    /// The preset's name, by which rules may name this issuer too.
    pub preset: Option<&'static str>,
    /// Any one of which `aud` must name.
    pub audiences: Vec<String>,
    /// The algorithms that are accepted.
    pub algorithms: Vec<Algorithm>,
    /// The claims that pin a tenant; empty for an issuer that serves only one.
    pub tenant_claims: Vec<String>,
    /// What its tokens must meet before any rule can allow.
    pub required: ClaimSet,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// The longest time between `iat` (or else `nbf`) and `exp`.
    pub max_lifetime: Duration,
    /// Where keys are fetched, if they are.
    pub jwks: Option<JwksSource>,
    /// Keys from the configuration; they serve while none have been fetched.
    pub inline_keys: Option<KeySet>,
    /// Which claims tell who the job is.
    pub identity: Identity,
}

/// Conditions on claims that must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimSet(pub Vec<(ClaimName, ClaimTest)>);

impl ClaimSet {
    /// The first condition that fails, if one does.
    #[must_use]
    pub fn first_failing(&self, claims: &Claims) -> Option<&(ClaimName, ClaimTest)> {
        self.0
            .iter()
            .find(|(name, test)| !test.holds(name.find(claims)))
    }
}

/// A name for jobs of a kind.
#[derive(Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// A job that meets any of these has the role.
    pub any_of: Vec<RoleSet>,
}

/// One way to have a role: all its conditions must hold.
#[derive(Debug)]
pub struct RoleSet {
    /// Its place in the role's list; none if the role is written as this one set.
    pub place: Option<usize>,
    /// Places in [`Policy::roles`], of which the job must have one; if empty it need not have any.
    pub roles: Vec<usize>,
    /// Conditions on the job's claims.
    pub claims: ClaimSet,
}

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Lets the request through, unless a deny rule matches too.
    Allow,
    /// Refuses the request, whatever else matches.
    Deny,
}

/// A rule. All its conditions must hold; a list that is empty asks for nothing.
#[derive(Debug)]
pub struct Rule {
    /// Its unique name.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Places in [`Policy::issuers`], of which the token must be from one.
    pub issuers: Vec<usize>,
    /// Its place in the configuration's list.
    pub place: usize,
    /// Whether it is only on trial: it is evaluated and recorded, and decides nothing.
    pub shadow: bool,
    /// Names of routes or services, of which the gateway must have chosen one for the request.
    pub routes: Vec<String>,
    /// Hosts, of which the request's must match one.
    pub hosts: Vec<HostGlob>,
    /// Places in [`Policy::roles`], of which the job must have one.
    pub roles: Vec<usize>,
    /// Methods, of which the request's must be one.
    pub methods: Vec<String>,
    /// Paths, of which the request's must match one.
    pub paths: Vec<PathGlob>,
    /// Conditions on the job's claims.
    pub claims: ClaimSet,
    /// Times at which it matches.
    pub schedule: Option<Schedule>,
    /// An expression that must be true.
    pub when: Option<When>,
    /// What the client's certificate must be.
    pub certificate: Option<CertificateTest>,
    /// How often it lets the same token through.
    pub replay: Replay,
    /// What the job's token is exchanged for, if it is.
    pub exchange: Option<Exchange>,
}

/// What a rule exchanges jobs' tokens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// The place in [`Policy::exchange`].
    pub target: usize,
    /// Whether a request goes on without a credential if there is none to be had.
    pub may_fail: bool,
}

/// How often a rule lets the same token through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// As often as it comes.
    Allow,
    /// Once.
    Once,
}

/// How much is told to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// What decision records hold.
    pub detail: Detail,
    /// What the client is told.
    pub client: ClientDetail,
    /// How what is allowed goes on record.
    pub allowed: Allowed,
}

/// How what is allowed goes on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// The level at which it is logged.
    pub level: Level,
    /// How much of it is recorded.
    pub sample: Share,
}

/// A level of the gateway's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What is seen where the log is set to `info`, as it is by default on Envoy.
    Info,
    /// What is seen where the log is set to `debug`.
    Debug,
}

/// What decision records hold beside the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The code, the rule, the roles and the job's identity.
    Code,
    /// Also which conditions failed.
    Conditions,
    /// Also the value of each claim that failed one.
    Claims,
}

/// What a refused client is told beside the code and its hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientDetail {
    /// Nothing.
    Code,
    /// Which check or condition failed.
    Conditions,
}

/// The names of the headers to the upstream, made once from the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderNames {
    /// What all of them begin with.
    pub prefix: String,
    /// `allow` or `shadow-deny`.
    pub decision: String,
    /// The decision's id.
    pub decision_id: String,
    /// The rule that decided.
    pub rule: String,
    /// The job's roles.
    pub roles: String,
    /// Why the request would have been refused.
    pub reason: String,
    /// The token's issuer.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The policy's digest.
    pub policy: String,
    /// The assertion, if the gate makes any: the one name that need not begin with the prefix.
    pub assertion: Option<String>,
    /// Those that credentials come in, which need not begin with the prefix either.
    pub(crate) credentials: Vec<String>,
    identity: [String; IdentityField::ALL.len()],
    limits: Vec<String>,
}

impl HeaderNames {
    /// The names with this prefix, which ends in `-`.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let name = |rest: &str| format!("{prefix}{rest}");
        Self {
            prefix: prefix.into(),
            decision: name("decision"),
            decision_id: name("decision-id"),
            rule: name("rule"),
            roles: name("roles"),
            reason: name("reason"),
            issuer: name("issuer"),
            subject: name("subject"),
            policy: name("policy"),
            assertion: None,
            credentials: Vec::new(),
            identity: IdentityField::ALL.map(|field| name(field.name())),
            limits: Vec::new(),
        }
    }

    /// The header by which the limit of this id is handed on, which is one of these names from now on.
    pub(super) fn add_limit(&mut self, id: &str) -> String {
        let name = format!("{}limit-{id}", self.prefix);
        self.limits.push(name.clone());
        name
    }

    /// The header of assertions, which is one of these names from now on.
    pub(super) fn set_assertion(&mut self, name: &str) {
        self.assertion = Some(name.to_owned());
    }

    /// A header that credentials come in, which is one of these names from now on.
    pub(super) fn add_credential(&mut self, name: &str) {
        if !self.credentials.iter().any(|known| known == name) {
            self.credentials.push(name.to_owned());
        }
    }

    /// The header of a part of the job's identity.
    #[must_use]
    pub fn identity(&self, field: IdentityField) -> &str {
        // The array runs parallel to IdentityField::ALL, so there always is one.
        IdentityField::ALL
            .iter()
            .position(|known| *known == field)
            .and_then(|place| self.identity.get(place))
            .map_or("", String::as_str)
    }

    /// Every name that is ever set.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [
            &self.decision,
            &self.decision_id,
            &self.rule,
            &self.roles,
            &self.reason,
            &self.issuer,
            &self.subject,
            &self.policy,
        ]
        .into_iter()
        .chain(&self.identity)
        .chain(&self.limits)
        .chain(&self.assertion)
        .chain(&self.credentials)
        .map(String::as_str)
    }
}
