//! What rules and roles ask for, as far as it can be looked up.

use super::dimension::{Ask, Dimension, Fixed};
use super::key::Key;
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::{ClaimSet, Rule};
use crate::policy::glob::{Literal, PathGlob};
use crate::policy::host_glob::HostGlob;
use crate::policy::matcher::ClaimTest;

/// What a rule asks for.
pub(super) fn asks_of_rule(rule: &Rule) -> Vec<Ask<&ClaimName>> {
    let hosts = rule.hosts.iter().map(host_key);
    let paths = rule.paths.iter().map(|glob| path_key(&glob.literal()));
    let methods = rule.methods.iter().map(|method| method_key(method));
    let mut lists = vec![
        (Fixed::Issuer, numbers(&rule.issuers)),
        (Fixed::Route, wholes(&rule.routes)),
        (Fixed::Host, Some(hosts.collect())),
        (Fixed::Method, methods.map(Some).collect()),
        (Fixed::Path, paths.collect()),
        (Fixed::Role, numbers(&rule.roles)),
    ];
    lists.extend(segments(&rule.paths));
    // A list that is empty asks for nothing, and so does one of which something can't be looked up.
    let told = |(fixed, keys): (Fixed, Option<Vec<Key>>)| {
        keys.filter(|keys| !keys.is_empty())
            .map(|keys| Ask::fixed(fixed, keys))
    };
    let mut asks = asks_of_claims(&rule.claims);
    asks.extend(lists.into_iter().filter_map(told));
    asks
}

/// What a claim set asks for.
pub(super) fn asks_of_claims(claims: &ClaimSet) -> Vec<Ask<&ClaimName>> {
    let claims = claims.0.iter();
    claims
        .filter_map(|(name, test)| claim(name, test))
        .collect()
}

pub(super) fn numbers(places: &[usize]) -> Option<Vec<Key>> {
    Some(places.iter().map(|place| Key::number(*place)).collect())
}

fn wholes(texts: &[String]) -> Option<Vec<Key>> {
    Some(texts.iter().map(|text| Key::whole(text)).collect())
}

fn path_key(literal: &Literal) -> Option<Key> {
    match literal {
        Literal::Whole(path) => Some(Key::whole(path)),
        part => part_key(part),
    }
}

pub(super) fn method_key(method: &str) -> Key {
    Key::whole(&method.to_ascii_uppercase())
}

fn host_key(glob: &HostGlob) -> Key {
    let text = glob.to_string();
    match text.strip_prefix('*') {
        Some(end) => Key::end(end),
        None => Key::whole(&text),
    }
}

/// The key of a text's beginning or end, of which there must be something.
fn part_key(literal: &Literal) -> Option<Key> {
    match literal {
        Literal::Whole(text) | Literal::Beginning(text) if !text.is_empty() => {
            Some(Key::beginning(text))
        }
        Literal::End(text) if !text.is_empty() => Some(Key::end(text)),
        _ => None,
    }
}

fn claim<'a>(name: &'a ClaimName, test: &ClaimTest) -> Option<Ask<&'a ClaimName>> {
    let keys = match test {
        ClaimTest {
            equals: Some(text), ..
        } => vec![Key::whole(text)],
        ClaimTest {
            one_of: Some(list), ..
        } => wholes(list)?,
        // By a part and never whole, also without a star: see `claim_keys`.
        ClaimTest {
            matches: Some(globs),
            ..
        } => globs
            .iter()
            .map(|glob| part_key(&glob.literal()))
            .collect::<Option<_>>()?,
        _ => return None,
    };
    Some(Ask {
        dimension: Dimension::Claim(name),
        keys,
    })
}

/// The segments that all globs fix, if one of them fixes one behind a star.
fn segments(globs: &[PathGlob]) -> Vec<(Fixed, Option<Vec<Key>>)> {
    if !globs.iter().any(PathGlob::has_star) {
        return Vec::new();
    }
    let fixed: Vec<Vec<Option<String>>> = globs.iter().map(PathGlob::segments).collect();
    let mut is_behind_a_star = false;
    let mut all = Vec::new();
    for number in Fixed::segments() {
        let place = usize::from(number);
        let segments = || fixed.iter().map(|segments| segments.get(place));
        if is_behind_a_star {
            let key = |segment: Option<&Option<String>>| Some(Key::whole(segment?.as_deref()?));
            all.push((Fixed::Segment(number), segments().map(key).collect()));
        }
        is_behind_a_star |= segments().any(|segment| segment == Some(&None));
    }
    all
}
