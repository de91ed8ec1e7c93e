//! What the gate decides on a job and a request, and why: by the core's own checks, in the gate's order.
//!
//! The gate proves a token and then asks the rules. Here both are looked at whatever the other says, so that
//! all that is wrong is seen at once; the decision is that of the first check that fails, as in
//! [`jobgate::gate::judge`]. That the two agree is tested with the shared cases.

mod describe;
mod job;
mod request;
mod rules;

pub(crate) use describe::printable;
pub(crate) use job::{EXAMPLES, Job, example};
pub(crate) use request::{Certificate, Request, moment};
pub(crate) use rules::{ConditionView, RoleView, RuleView};

use jobgate::keys::KeySet;
use jobgate::policy::{Facts, IdentityField, Issuer, Mode, Policy, Replay, Verdict};
use jobgate::reason::{Reason, Refusal};
use jobgate::request::{HeaderMap, NormalPath};
use jobgate::revocation::RevocationList;
use jobgate::time::UnixTime;
use jobgate::token::{Carried, Claims, Finding, Jws, Marks, Times, examine, extract, issuer_of};

/// What is asked.
pub(crate) struct Question<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) job: &'a Job,
    pub(crate) request: &'a Request,
    /// The keys of the token's issuer, if they are given beside the policy.
    pub(crate) keys: Option<&'a KeySet>,
    /// The document of revocations that the policy names, if it is given.
    pub(crate) revocations: Option<&'a RevocationList>,
    pub(crate) at: UnixTime,
}

/// What the gate would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    Deny,
    /// Refuse, if the policy were enforced.
    ShadowDeny,
}

impl Decision {
    /// As headers and records have it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ShadowDeny => "shadow-deny",
        }
    }
}

/// How a check stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Passes,
    Fails(Refusal),
    NotMade,
}

/// A check that comes before the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckView {
    pub(crate) name: &'static str,
    pub(crate) standing: Standing,
    /// What was looked at, or why it was not.
    pub(crate) about: String,
}

/// The decision and everything that explains it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) decision: Decision,
    /// Why not, if it is not allowed.
    pub(crate) refusal: Option<Refusal>,
    /// The rule that decides, by its place in the policy.
    pub(crate) rule: Option<usize>,
    /// Rules on trial that would have decided otherwise, by their places.
    pub(crate) shadow: Vec<usize>,
    /// The job's roles, by their places.
    pub(crate) roles: Vec<usize>,
    /// The issuer, by its place.
    pub(crate) issuer: Option<usize>,
    /// Who the job is.
    pub(crate) identity: Vec<(IdentityField, String)>,
    pub(crate) checks: Vec<CheckView>,
    /// What every token of the issuer must meet.
    pub(crate) required: Vec<ConditionView>,
    /// Every rule in the policy's order; none if path or issuer are not known, without which rules can't be asked.
    pub(crate) rules: Option<Vec<RuleView>>,
    /// Every role.
    pub(crate) all_roles: Vec<RoleView>,
    /// What the rules say, where a check before them fails.
    pub(crate) otherwise: Option<Result<usize, Refusal>>,
    /// Whether all but the signature is known to be good.
    pub(crate) signature_unknown: bool,
    /// What an answer without a gateway can't tell.
    pub(crate) notes: Vec<String>,
}

/// An answer that tells what there is to be seen of a policy: of each issuer, role and rule the conditions.
pub(crate) fn structure(policy: &Policy) -> Vec<Answer> {
    let nobody = Claims::new(serde_json::Map::new());
    let request = Request::nothing();
    (0..policy.issuers.len())
        .map(|issuer| {
            evaluate(&Question {
                policy,
                job: &Job::Claims {
                    claims: nobody.clone(),
                    issuer: Some(issuer),
                },
                request: &request,
                keys: None,
                revocations: None,
                at: UnixTime::from_secs(0),
            })
        })
        .collect()
}

/// A job as far as it is known before the rules.
struct Known {
    checks: Vec<CheckView>,
    issuer: Option<usize>,
    claims: Option<Claims>,
    refusal: Option<Refusal>,
    /// Whether all but the signature is known to be good.
    signature_unknown: bool,
}

/// Answers a question.
pub(crate) fn evaluate(question: &Question<'_>) -> Answer {
    let policy = question.policy;
    let request = question.request;
    let path = NormalPath::parse(request.target.as_bytes());
    let mut checks = vec![CheckView {
        name: "path",
        standing: match &path {
            Ok(_) => Standing::Passes,
            Err(why) => Standing::Fails(Refusal::new(Reason::PathAmbiguous, why.0)),
        },
        about: path.as_ref().map_or_else(
            |_| request.without_query().into(),
            |path| path.as_str().into(),
        ),
    }];
    let mut notes = Vec::new();
    let known = match question.job {
        Job::Token(compact) => of_token(question, compact, &mut notes),
        Job::Claims { claims, issuer } => of_claims(question, claims, *issuer),
    };
    checks.extend(known.checks);
    let host = request.normal_host();
    if host.is_none() && request.host.is_some() {
        notes.push("the host can't be read as one, so conditions on it can't be told".into());
    }
    let asked = match (&path, known.issuer, &known.claims) {
        (Ok(path), Some(issuer), Some(claims)) => Some((path, issuer, claims)),
        _ => None,
    };
    let facts = |path| Facts {
        method: &request.method,
        path,
        host: host.as_deref(),
        route: request.route.as_deref(),
        service: request.service.as_deref(),
        certificate: request.certificate.facts(),
        now: question.at,
    };
    let verdict = asked.map(|(path, issuer, claims)| policy.weigh(issuer, claims, &facts(path)));
    let rules =
        asked.map(|(path, issuer, claims)| rules::views(policy, issuer, claims, &facts(path)));
    let roles = known
        .claims
        .as_ref()
        .map(|claims| policy.roles_of(claims))
        .unwrap_or_default();
    let before = path
        .as_ref()
        .err()
        .map(|why| Refusal::new(Reason::PathAmbiguous, why.0))
        .or(known.refusal);
    let (outcome, rule, shadow) = match verdict {
        None => (None, None, Vec::new()),
        Some(Verdict::Allow { rule, shadow, .. }) => (Some(Ok(rule)), Some(rule), shadow),
        Some(Verdict::Deny(denial)) => (Some(Err(denial.refusal())), denial.rule, denial.shadow),
    };
    let unasked = || Refusal::new(Reason::InternalError, "the rules could not be asked");
    let (refusal, rule, shadow, otherwise) = match (before, outcome) {
        (Some(refusal), outcome) => (Some(refusal), None, Vec::new(), outcome),
        (None, Some(outcome)) => (outcome.err(), rule, shadow, None),
        // A check that keeps the rules from being asked is one that fails.
        (None, None) => (Some(unasked()), None, Vec::new(), None),
    };
    let allowed_by = rule.filter(|_| refusal.is_none());
    if allowed_by
        .and_then(|rule| policy.rules.get(rule))
        .is_some_and(|rule| rule.replay == Replay::Once)
    {
        notes.push(
            "the rule lets a token through once; whether it was used before only the gateway knows"
                .into(),
        );
    }
    let is_limited = |rule| {
        let mut limits = policy.limits.iter();
        limits.any(|limit| limit.rules.is_empty() || limit.rules.contains(&rule))
    };
    if allowed_by.is_some_and(is_limited) {
        notes.push(
            "how often the job was let through before (limits) only the gateway knows".into(),
        );
    }
    let required = known
        .issuer
        .zip(known.claims.as_ref())
        .map(|(issuer, claims)| rules::required(&policy.issuers[issuer], claims));
    Answer {
        decision: match (&refusal, policy.mode) {
            (None, _) => Decision::Allow,
            (Some(_), Mode::Enforce) => Decision::Deny,
            (Some(_), Mode::Shadow) => Decision::ShadowDeny,
        },
        refusal,
        rule,
        shadow,
        roles,
        issuer: known.issuer,
        identity: known
            .issuer
            .zip(known.claims.as_ref())
            .map(|(issuer, claims)| identity(&policy.issuers[issuer], claims))
            .unwrap_or_default(),
        checks,
        required: required.unwrap_or_default(),
        rules,
        all_roles: known
            .claims
            .as_ref()
            .map(|claims| rules::roles(policy, claims))
            .unwrap_or_default(),
        otherwise,
        signature_unknown: known.signature_unknown,
        notes,
    }
}

/// The parts of the identity that the claims tell.
fn identity(issuer: &Issuer, claims: &Claims) -> Vec<(IdentityField, String)> {
    let parts = issuer.identity.iter();
    parts
        .filter_map(|(field, claim)| Some((*field, claims.text(claim)?.into_owned())))
        .collect()
}

fn failed(name: &'static str, refusal: &Refusal) -> CheckView {
    CheckView {
        name,
        standing: Standing::Fails(refusal.clone()),
        about: String::new(),
    }
}

fn of_token(question: &Question<'_>, compact: &str, notes: &mut Vec<String>) -> Known {
    let policy = question.policy;
    let bearer = format!("Bearer {compact}").into_bytes();
    let headers: HeaderMap = [(policy.carrier.header.clone(), bearer)]
        .into_iter()
        .collect();
    let query = question.request.query();
    let parsed = extract(&policy.carrier, &headers, query.map(str::as_bytes))
        .and_then(Carried::text)
        .and_then(Jws::parse);
    let jws = match parsed {
        Ok(jws) => jws,
        Err(refusal) => {
            return Known {
                checks: vec![failed("form", &refusal)],
                issuer: None,
                claims: None,
                refusal: Some(refusal),
                signature_unknown: false,
            };
        }
    };
    let claimed = issuer_of(jws.claims(), policy).ok();
    let issuer = claimed.and_then(|place| policy.issuers.get(place));
    let keys = match question.keys {
        Some(keys) => Some(keys),
        None => issuer.and_then(|issuer| inline_keys(issuer, &jws)),
    };
    let examination = examine(&jws, policy, keys, question.at);
    let mut checks = vec![CheckView {
        name: "form",
        standing: Standing::Passes,
        about: "a compact JWS with a JSON payload".into(),
    }];
    checks.extend(examination.checks.iter().map(|(check, finding)| CheckView {
        name: check.name(),
        standing: match finding {
            Finding::Passes => Standing::Passes,
            Finding::Fails(refusal) => Standing::Fails(refusal.clone()),
            Finding::NotMade => Standing::NotMade,
        },
        about: describe::check(*check, finding, &jws, issuer, question.at),
    }));
    let signature_unknown = examination.checks.iter().any(|(check, finding)| {
        *check == jobgate::token::Check::Signature && *finding == Finding::NotMade
    });
    if signature_unknown && examination.refusal().is_none() {
        notes.push(
            "the signature was not checked: no keys were given. Anybody can write such a token; --jwks FILE checks it"
                .into(),
        );
    }
    let mut refusal = examination.refusal().cloned();
    if let Some(issuer) = issuer {
        let (check, revoked) = revocations(question, Marks::from(&jws), issuer);
        checks.push(check);
        refusal = refusal.or(revoked);
    }
    Known {
        checks,
        issuer: claimed,
        claims: Some(jws.claims().clone()),
        signature_unknown: signature_unknown && refusal.is_none(),
        refusal,
    }
}

/// The keys in the policy, if the gate would ask no others for this token.
fn inline_keys<'i>(issuer: &'i Issuer, jws: &Jws<'_>) -> Option<&'i KeySet> {
    let keys = issuer.inline_keys.as_ref()?;
    let holds_it = issuer.algorithms.iter().any(|algorithm| {
        algorithm.name() == jws.header().alg
            && keys.find(jws.header().kid.as_deref(), *algorithm).is_some()
    });
    (holds_it || issuer.jwks.is_none()).then_some(keys)
}

fn of_claims(question: &Question<'_>, claims: &Claims, issuer: Option<usize>) -> Known {
    let policy = question.policy;
    let found = match issuer {
        Some(place) => Ok(place),
        None => issuer_of(claims, policy),
    };
    let place = match found {
        Ok(place) => place,
        Err(refusal) => {
            return Known {
                checks: vec![failed("issuer", &refusal)],
                issuer: None,
                claims: Some(claims.clone()),
                refusal: Some(refusal),
                signature_unknown: false,
            };
        }
    };
    let issuer = &policy.issuers[place];
    let (check, refusal) = revocations(question, Marks::of_claims(claims), issuer);
    let checks = vec![
        CheckView {
            name: "issuer",
            standing: Standing::Passes,
            about: issuer.issuer.clone(),
        },
        CheckView {
            name: "token",
            standing: Standing::NotMade,
            about: "there are only claims, which are taken for proven".into(),
        },
        check,
    ];
    Known {
        checks,
        issuer: Some(place),
        claims: Some(claims.clone()),
        refusal,
        signature_unknown: false,
    }
}

/// Whether it is revoked, by the policy's own entries and the document if that is given.
fn revocations(
    question: &Question<'_>,
    marks: Marks<'_>,
    issuer: &Issuer,
) -> (CheckView, Option<Refusal>) {
    let of_policy = &question.policy.revocations;
    let nothing = RevocationList::default();
    let document = question.revocations.unwrap_or(&nothing);
    let outcome = of_policy.check(Some(document), true, marks, issuer, question.at);
    let about = match (of_policy.source.is_some(), question.revocations) {
        (false, _) => describe::count(of_policy.entries.len(), "entry", "entries"),
        (true, Some(list)) => {
            describe::count(of_policy.entries.len() + list.len(), "entry", "entries")
        }
        (true, None) => format!(
            "{} in the policy; the document was not given",
            describe::count(of_policy.entries.len(), "entry", "entries")
        ),
    };
    let check = CheckView {
        name: "revocations",
        standing: match &outcome {
            Ok(()) => Standing::Passes,
            Err(refusal) => Standing::Fails(refusal.clone()),
        },
        about,
    };
    (check, outcome.err())
}

/// When a token's times are read for showing them.
fn times(claims: &Claims) -> Option<Times> {
    Times::read(claims).ok()
}
