//! What requests are made of: of each part of a request the values that two policies can tell apart.

use jobgate::policy::{ClaimGlob, ClaimName, ClientCertificate, Policy, Rule, Schedule};
use jobgate::request::NormalPath;
use jobgate::time::UnixTime;
use std::collections::{BTreeMap, HashSet};

/// The most values of one part of a request.
const MOST: usize = 400;

/// The most values that stand in for the stars of one glob.
const MOST_FILLS: usize = 8;

/// Values for each part of a request. The first ones are such that no condition asks for them, if there are any.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) issuers: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) paths: Vec<NormalPath>,
    pub(super) hosts: Vec<String>,
    pub(super) routes: Vec<String>,
    pub(super) times: Vec<UnixTime>,
    pub(super) certificates: Vec<ClientCertificate>,
    pub(super) claims: BTreeMap<ClaimName, Vec<String>>,
}

impl Pool {
    /// Of what there is more of than fits, the values of rules for which requests are made come first; `differs`
    /// says which these are, by id.
    pub(super) fn of(
        policies: [&Policy; 2],
        days: &[UnixTime],
        differs: impl Fn(&str) -> bool,
    ) -> Self {
        let rules = policies.into_iter().flat_map(|policy| &policy.rules);
        let (first, others): (Vec<&Rule>, Vec<&Rule>) = rules.partition(|rule| differs(&rule.id));
        let rules = || first.iter().chain(&others).copied();
        let issuers = policies.into_iter().flat_map(|policy| &policy.issuers);
        let methods = ["OTHER".to_owned()].into_iter();
        let hosts = ["other.example".to_owned()].into_iter();
        let routes = ["other-route".to_owned()].into_iter();
        Self {
            issuers: distinct(issuers.map(|issuer| issuer.issuer.clone())),
            methods: distinct(methods.chain(rules().flat_map(|rule| rule.methods.clone()))),
            paths: paths(rules()),
            hosts: distinct(
                hosts.chain(rules().flat_map(|rule| &rule.hosts).flat_map(|glob| {
                    let glob = glob.to_string();
                    let inner = glob.strip_prefix("*.").map(|name| format!("x.{name}"));
                    [inner.unwrap_or(glob)]
                })),
            ),
            routes: distinct(routes.chain(rules().flat_map(|rule| rule.routes.clone()))),
            times: times(rules(), days),
            certificates: certificates(rules()),
            claims: claims(policies, &first, &others),
        }
    }
}

/// Without those that came before.
fn distinct<T: Clone + Eq + std::hash::Hash>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    items
        .filter(|item| seen.insert(item.clone()))
        .take(MOST)
        .collect()
}

fn paths<'r>(rules: impl Iterator<Item = &'r Rule> + Clone) -> Vec<NormalPath> {
    let globs: Vec<&str> = rules
        .flat_map(|rule| &rule.paths)
        .map(jobgate::policy::PathGlob::as_str)
        .collect();
    let filled = |glob: &str, far: &str, near: &str| {
        // Two stars first: they cross segments.
        let text = glob.replace("**", "\u{0}").replace('*', near);
        text.replace('\u{0}', far)
    };
    let plain: Vec<_> = globs.iter().map(|glob| filled(glob, "x", "x")).collect();
    let deep = globs.iter().map(|glob| filled(glob, "x/y", "y"));
    let none = globs.iter().map(|glob| filled(glob, "", ""));
    // What two globs cover: one within the stars of the other.
    let crossed = globs
        .iter()
        .filter(|glob| glob.contains('*'))
        .flat_map(|glob| {
            plain.iter().take(MOST).flat_map(move |inner| {
                let inner = inner.trim_start_matches('/');
                let last = inner.rsplit('/').next().unwrap_or_default();
                let first = inner.split('/').next().unwrap_or_default();
                [filled(glob, inner, last), filled(glob, last, first)]
            })
        });
    let other = ["/other".to_owned(), "/".to_owned()].into_iter();
    let all = other
        .chain(plain.clone())
        .chain(deep)
        .chain(none)
        .chain(crossed);
    distinct(all.take(20 * MOST))
        .iter()
        .filter_map(|path| NormalPath::parse(path.as_bytes()).ok())
        .collect()
}

/// Texts that globs cover, with each of these and with nothing in the place of stars.
fn covered<'g>(
    globs: impl Iterator<Item = &'g ClaimGlob>,
    fills: &[&str],
) -> impl Iterator<Item = String> {
    globs.flat_map(move |glob| {
        let pattern = glob.as_str();
        let fills = ["x", ""].iter().chain(fills);
        let with = |fill: &&str| pattern.replace('*', fill).replace('?', "x");
        fills.map(with).collect::<Vec<_>>()
    })
}

fn claims<'p>(
    policies: [&'p Policy; 2],
    first: &[&'p Rule],
    others: &[&'p Rule],
) -> BTreeMap<ClaimName, Vec<String>> {
    let mut tests: BTreeMap<&ClaimName, Vec<_>> = BTreeMap::new();
    let issuers = policies.into_iter().flat_map(|policy| &policy.issuers);
    let roles = policies.into_iter().flat_map(|policy| &policy.roles);
    let sets = issuers
        .map(|issuer| &issuer.required)
        .chain(first.iter().map(|rule| &rule.claims))
        .chain(roles.flat_map(|role| &role.any_of).map(|set| &set.claims))
        .chain(others.iter().map(|rule| &rule.claims));
    for (name, test) in sets.flat_map(|set| &set.0) {
        tests.entry(name).or_default().push(test);
    }
    let mut pools: BTreeMap<ClaimName, Vec<String>> = tests
        .into_iter()
        .map(|(name, tests)| {
            let values = tests
                .iter()
                .flat_map(|test| test.values())
                .map(str::to_owned);
            let simple: Vec<_> = covered(tests.iter().flat_map(|test| test.globs()), &[]).collect();
            let fills: Vec<&str> = values_of(&tests)
                .chain(simple.iter().map(String::as_str))
                .take(MOST_FILLS)
                .collect();
            let crossed = covered(tests.iter().flat_map(|test| test.globs()), &fills);
            let other = ["other".to_owned()].into_iter();
            let all = other.chain(values).chain(simple.clone()).chain(crossed);
            (name.clone(), distinct(all))
        })
        .collect();
    for rule in policies.into_iter().flat_map(|policy| &policy.rules) {
        if let Some(when) = &rule.when {
            for claim in when.claims_read() {
                let pool = pools.entry(ClaimName::whole(claim)).or_default();
                pool.push("other".to_owned());
                pool.extend(literals(when.source()));
                *pool = distinct(pool.drain(..));
            }
        }
    }
    pools
}

fn values_of<'t>(tests: &'t [&'t jobgate::policy::ClaimTest]) -> impl Iterator<Item = &'t str> {
    tests.iter().flat_map(|test| test.values())
}

/// The texts that an expression holds.
fn literals(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for quote in ['"', '\''] {
        let mut parts = source.split(quote);
        while let (Some(_), Some(text)) = (parts.next(), parts.next()) {
            texts.push(text.to_owned());
        }
    }
    texts
}

/// One moment for each way in which the schedules can stand, those first in which the fewest are open.
fn times<'r>(rules: impl Iterator<Item = &'r Rule>, days: &[UnixTime]) -> Vec<UnixTime> {
    const MINUTES: u64 = 9 * 24 * 60;
    let schedules: Vec<&Schedule> = rules.filter_map(|rule| rule.schedule.as_ref()).collect();
    let mut ways: Vec<(Vec<bool>, UnixTime)> = Vec::new();
    let mut seen = HashSet::new();
    let minutes = if schedules.is_empty() { 1 } else { MINUTES };
    // Every minute, or with many schedules every fifth or hour: windows rarely are shorter.
    let step = match schedules.len() * days.len() {
        0..=100 => 1,
        101..=1_000 => 5,
        _ => 60,
    };
    for day in days {
        for minute in (0..minutes).step_by(step) {
            let moment = UnixTime::from_secs(day.as_secs() + 60 * minute);
            let way: Vec<_> = schedules.iter().map(|each| each.covers(moment)).collect();
            if seen.insert(way.clone()) && ways.len() < MOST {
                ways.push((way, moment));
            }
        }
    }
    ways.sort_by_key(|(way, moment)| (way.iter().filter(|open| **open).count(), *moment));
    ways.into_iter().map(|(_, moment)| moment).collect()
}

fn certificates<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<ClientCertificate> {
    let told = |verified| ClientCertificate {
        verified: Some(verified),
        ..ClientCertificate::default()
    };
    let mut all = vec![told(false), told(true)];
    for test in rules.filter_map(|rule| rule.certificate.as_ref()) {
        let [subject, uri_san, dns_san] = test
            .globs()
            .map(|globs| covered(globs.iter(), &[]).collect::<Vec<_>>());
        let most = subject.len().max(uri_san.len()).max(dns_san.len());
        for nth in 0..most {
            let pick = |texts: &[String]| texts.get(nth).or(texts.first()).cloned();
            all.push(ClientCertificate {
                verified: Some(true),
                subject: pick(&subject),
                uri_san: pick(&uri_san),
                dns_san: pick(&dns_san),
            });
        }
    }
    let mut distinct: Vec<ClientCertificate> = Vec::new();
    for each in all.into_iter().take(MOST) {
        if !distinct.contains(&each) {
            distinct.push(each);
        }
    }
    distinct
}
