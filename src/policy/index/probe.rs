//! What a request has of that for which rules can ask.

use super::ask::method_key;
use super::dimension::{Dimension, Fixed};
use super::key::{Key, Shape};
use super::tree::Probe;
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::Effect;
use crate::policy::condition::Subject;
use crate::token::{Claims, scalar_text};
use serde_json::Value;

/// A job and its request, as rules of an effect see them.
pub(super) struct Seen<'a> {
    pub(super) effect: Effect,
    pub(super) subject: &'a Subject<'a>,
}

impl Probe for Seen<'_> {
    fn probe(
        &self,
        dimension: Dimension<&ClaimName>,
        shapes: &[Shape],
        found: &mut dyn FnMut(Key),
    ) -> bool {
        let facts = self.subject.facts;
        // A deny rule matches where its condition can't be told.
        let unless_denied = self.effect == Effect::Allow;
        match dimension {
            Dimension::Fixed(Fixed::Issuer) => found(Key::number(self.subject.issuer)),
            Dimension::Fixed(Fixed::Role) => {
                for role in self.subject.roles {
                    found(Key::number(*role));
                }
            }
            Dimension::Fixed(Fixed::Method) => found(method_key(facts.method)),
            Dimension::Fixed(Fixed::Path) => Key::each_of(facts.path.unescaped(), shapes, found),
            Dimension::Fixed(Fixed::Segment(number)) => {
                let mut segments = facts.path.unescaped().split('/').skip(1);
                if let Some(segment) = segments.nth(usize::from(number)) {
                    found(Key::whole(segment));
                }
            }
            Dimension::Fixed(Fixed::Host) => match facts.host {
                Some(host) => Key::each_of(host, shapes, found),
                None => return unless_denied,
            },
            Dimension::Fixed(Fixed::Route) => match (facts.route, facts.service) {
                (None, None) => return unless_denied,
                (route, service) => {
                    for name in [route, service].into_iter().flatten() {
                        found(Key::whole(name));
                    }
                }
            },
            Dimension::Claim(name) => {
                let is_told = claim_keys(name.find(self.subject.claims), shapes, found);
                return is_told || unless_denied;
            }
        }
        true
    }

    fn claim_names(&self) -> Vec<&str> {
        self.subject.claims.iter().map(|(name, _)| name).collect()
    }
}

/// A token's claims alone.
pub(super) struct Claimed<'a>(pub(super) &'a Claims);

impl Probe for Claimed<'_> {
    fn probe(
        &self,
        dimension: Dimension<&ClaimName>,
        shapes: &[Shape],
        found: &mut dyn FnMut(Key),
    ) -> bool {
        match dimension {
            Dimension::Claim(name) => claim_keys(name.find(self.0), shapes, found),
            Dimension::Fixed(_) => false,
        }
    }

    fn claim_names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name).collect()
    }
}

/// Calls `found` with the keys of a claim: of all its elements, if it is an array. Whether that is all that
/// can be told of it: not so if something in it has no text, or is no string where globs look at it.
fn claim_keys(claim: Option<&Value>, shapes: &[Shape], found: &mut dyn FnMut(Key)) -> bool {
    let items: &[Value] = match claim {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(scalar) => std::slice::from_ref(scalar),
    };
    let has_globs = shapes.iter().any(|shape| *shape != Shape::Whole);
    let mut is_told = true;
    for item in items {
        let text = scalar_text(item);
        is_told &= text.is_some() && (item.is_string() || !has_globs);
        if let Some(text) = text {
            Key::each_of(&text, shapes, found);
        }
    }
    is_told
}
