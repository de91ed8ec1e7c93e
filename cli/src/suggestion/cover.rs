//! Rules that cover kinds of requests, and no others than they were told to.

use super::dimension::{Dimension, pattern};
use super::{Asked, Evidence};
use jobgate::policy::PathGlob;
use std::collections::{BTreeMap, BTreeSet};

/// A kind of requests: those that a rule can't tell apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(super) issuer: String,
    /// The tenant and the pipeline.
    pub(super) group: Vec<(Dimension, String)>,
    /// What else rules ask for.
    pub(super) values: Vec<(Dimension, String)>,
    /// What they were told not to ask for, as far as it is known.
    pub(super) ignored: Vec<Option<String>>,
}

/// What one rule asks for: of each dimension one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    pub(super) issuer: String,
    pub(super) group: Vec<(Dimension, String)>,
    pub(super) values: Vec<(Dimension, BTreeSet<String>)>,
    /// The kinds that it was made of, by their places.
    pub(super) kinds: BTreeSet<usize>,
}

impl Cover {
    /// What it was made of.
    pub(super) fn evidence(&self, kinds: &[(Kind, Asked)]) -> Evidence {
        let seen = || self.kinds.iter().map(|place| &kinds[*place].1);
        let first = seen().min_by_key(|asked| asked.first);
        Evidence {
            requests: seen().map(|asked| asked.requests).sum(),
            first: Asked::moment(first.map_or(0, |asked| asked.first)),
            last: Asked::moment(seen().map(|asked| asked.last).max().unwrap_or_default()),
            example: first.map(Asked::example).unwrap_or_default(),
        }
    }

    /// Whether it covers a kind.
    fn has(&self, kind: &Kind, globs: &[PathGlob]) -> bool {
        let holds = |((dimension, values), (_, value)): (&(_, BTreeSet<String>), &(_, String))| {
            let is_covered = |text: &String| {
                let mut globs = globs.iter();
                globs.any(|glob| glob.as_str() == text && glob.matches(value))
            };
            values.contains(value)
                || (*dimension == Dimension::Path && values.iter().any(is_covered))
        };
        self.issuer == kind.issuer
            && self.group == kind.group
            && self.values.iter().zip(&kind.values).all(holds)
    }
}

/// The covers of all kinds: of each tenant and pipeline the fewest that come of putting one kind of value after
/// the other into lists.
///
/// No kind has two covers but where globs overlap, so each cover is needed; there those that are not are left
/// out.
pub(super) fn cover(kinds: &[(Kind, Asked)], globs: &[PathGlob]) -> Vec<Cover> {
    let mut covers: Vec<Cover> = Vec::new();
    let mut places: BTreeMap<(String, Vec<_>, Vec<_>), usize> = BTreeMap::new();
    for (place, (kind, _)) in kinds.iter().enumerate() {
        let value = |(dimension, value): &(Dimension, String)| {
            let value = match dimension {
                // That there is one was seen when the kind was made.
                Dimension::Path => pattern(value, globs).unwrap_or_else(|_| value.clone()),
                _ => value.clone(),
            };
            (dimension.clone(), BTreeSet::from([value]))
        };
        let values: Vec<_> = kind.values.iter().map(value).collect();
        let key = (kind.issuer.clone(), kind.group.clone(), values.clone());
        let at = *places.entry(key).or_insert_with(|| {
            covers.push(Cover {
                issuer: kind.issuer.clone(),
                group: kind.group.clone(),
                values,
                kinds: BTreeSet::new(),
            });
            covers.len() - 1
        });
        covers[at].kinds.insert(place);
    }
    loop {
        let before = covers.len();
        let most = covers.iter().map(|cover| cover.values.len()).max();
        // Paths come last and are listed first, then methods, then claims.
        for nth in (0..most.unwrap_or_default()).rev() {
            covers = merged(covers, nth);
        }
        if covers.len() == before {
            break;
        }
    }
    if globs.len() > 1 {
        drop_needless(&mut covers, kinds, globs);
    }
    covers.sort_by(|a, b| (&a.issuer, &a.group, &a.values).cmp(&(&b.issuer, &b.group, &b.values)));
    covers
}

/// Covers that differ in their nth value only become one.
fn merged(covers: Vec<Cover>, nth: usize) -> Vec<Cover> {
    let mut out: BTreeMap<_, Cover> = BTreeMap::new();
    for mut cover in covers {
        let own = cover
            .values
            .get_mut(nth)
            .map(|(_, values)| std::mem::take(values));
        let key = (
            cover.issuer.clone(),
            cover.group.clone(),
            cover.values.clone(),
        );
        let kept = out.entry(key).or_insert_with(|| Cover {
            kinds: BTreeSet::new(),
            ..cover.clone()
        });
        kept.kinds.extend(cover.kinds);
        if let (Some((_, values)), Some(own)) = (kept.values.get_mut(nth), own) {
            values.extend(own);
        }
    }
    out.into_values().collect()
}

/// Leaves out covers all of whose kinds others cover too.
fn drop_needless(covers: &mut Vec<Cover>, kinds: &[(Kind, Asked)], globs: &[PathGlob]) {
    let mut place = covers.len();
    while place > 0 {
        place -= 1;
        let others = || {
            covers
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place)
        };
        let homes: Option<Vec<(usize, usize)>> = covers[place]
            .kinds
            .iter()
            .map(|kind| {
                let (home, _) = others().find(|(_, other)| other.has(&kinds[*kind].0, globs))?;
                Some((*kind, home))
            })
            .collect();
        if let Some(homes) = homes {
            for (kind, home) in homes {
                covers[home].kinds.insert(kind);
            }
            covers.remove(place);
        }
    }
}
