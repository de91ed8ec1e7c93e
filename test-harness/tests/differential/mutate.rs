//! What is changed before a token is signed: its claims, its header, its JSON, and what signs it.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::draft::Draft;
use crate::world::World;
use crate::{claims, header, json_text};

/// Changes one thing.
pub(crate) fn mutate(draft: &mut Draft, world: &World, rng: &mut StdRng) {
    match rng.gen_range(0..100) {
        0..=27 => claims::date(draft, rng),
        28..=41 => claims::audience(draft, rng),
        42..=48 => claims::issuer(draft, world, rng),
        49..=55 => claims::other_claim(draft, rng),
        56..=70 => header::header(draft, world, rng),
        71..=82 => header::signer(draft, world, rng),
        _ => json_text::json_text(draft, rng),
    }
}

pub(crate) fn pick<'a>(of: &[&'a str], rng: &mut StdRng) -> &'a str {
    of.choose(rng).expect("there is something to choose from")
}

/// JSON values of every type and then some.
pub(crate) const VALUES: [&str; 20] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1",
    "1.5",
    "1e3",
    "\"\"",
    "\"x\"",
    "\"1800000100\"",
    "[]",
    "{}",
    "[1800000100]",
    "[null]",
    "{\"a\":1}",
    "99999999999999999999",
    "1e300",
    "\"\\u0000\"",
];
