//! Ids that people can read.

use super::Cover;
use super::dimension::Dimension;
use std::collections::BTreeSet;

/// The longest id that is made, before a number that makes it unique: ids have at most 64 characters.
const MOST: usize = 56;

/// An id for each cover, in their order, none of which is taken: `web-main`, of the pipeline and the only branch
/// or the like.
pub(super) fn ids(covers: &[Cover], taken: &BTreeSet<String>) -> Vec<String> {
    let mut taken = taken.clone();
    let mut ids = Vec::new();
    for cover in covers {
        let name = name(cover);
        let mut id = name.clone();
        let mut nth = 1;
        while !taken.insert(id.clone()) {
            nth += 1;
            id = format!("{name}-{nth}");
        }
        ids.push(id);
    }
    ids
}

fn name(cover: &Cover) -> String {
    let pipeline = cover.group.last().map(|(_, value)| value.as_str());
    let only = cover.values.iter().filter_map(|(dimension, values)| {
        let is_claim = matches!(dimension, Dimension::Claim(_));
        values
            .first()
            .filter(|_| is_claim && values.len() == 1)
            .map(String::as_str)
    });
    let words: Vec<_> = pipeline
        .into_iter()
        .map(|name| name.rsplit('/').next().unwrap_or(name))
        .chain(only.map(|value| value.strip_prefix("refs/heads/").unwrap_or(value)))
        .map(slug)
        .filter(|word| !word.is_empty())
        .collect();
    let name: String = words.join("-").chars().take(MOST).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() {
        "rule".into()
    } else {
        name.into()
    }
}

/// Letters, digits and what may stand in ids; one dash for a run of anything else.
fn slug(text: &str) -> String {
    let is_fit = |each: char| each.is_ascii_alphanumeric() || matches!(each, '_' | '.');
    let words = text
        .split(|each| !is_fit(each))
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}
