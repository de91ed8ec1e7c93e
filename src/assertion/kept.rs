//! The assertions of one token, kept with it: signing one costs more than all else that is done for a known token.

use super::Assertion;
use crate::time::UnixTime;
use crate::token::footprint::block;
use std::cell::RefCell;
use std::rc::Rc;

/// A token is let in by a few rules at most.
const MOST: usize = 4;

/// What was said of a job, and by whose decision.
#[derive(Debug)]
pub(crate) struct Vouched {
    /// The rule that let it in, by its place in the policy.
    pub(crate) rule: usize,
    /// Its roles, by their places in the policy.
    pub(crate) roles: Box<[usize]>,
    /// What was said.
    pub(crate) assertion: Rc<Assertion>,
}

/// Those that may serve again.
#[derive(Debug, Default)]
pub(crate) struct Kept(RefCell<Vec<Vouched>>);

impl Kept {
    /// The assertion for this rule and these roles, if enough of its life is left.
    pub(crate) fn find(
        &self,
        rule: usize,
        roles: &[usize],
        now: UnixTime,
    ) -> Option<Rc<Assertion>> {
        let kept = self.0.try_borrow().ok()?;
        let found = kept
            .iter()
            .find(|it| it.rule == rule && *it.roles == *roles && it.assertion.is_fresh(now))?;
        Some(Rc::clone(&found.assertion))
    }

    /// Keeps one more; those that will not serve again go, and of too many the first.
    pub(crate) fn add(&self, vouched: Vouched, now: UnixTime) {
        let Ok(mut kept) = self.0.try_borrow_mut() else {
            return;
        };
        kept.retain(|it| it.assertion.is_fresh(now));
        if kept.len() >= MOST {
            kept.drain(..1);
        }
        let more = MOST.saturating_sub(kept.len());
        kept.reserve_exact(more);
        kept.push(vouched);
    }

    /// Keeps none.
    pub(crate) fn clear(&self) {
        if let Ok(mut kept) = self.0.try_borrow_mut() {
            *kept = Vec::new();
        }
    }

    /// How many bytes of memory they take, from above.
    pub(crate) fn footprint(&self) -> usize {
        // Two counters stand before what an Rc holds.
        const SHARED: usize = block(size_of::<Assertion>() + 2 * size_of::<usize>());
        let Ok(kept) = self.0.try_borrow() else {
            return 0;
        };
        let list = block(kept.capacity().saturating_mul(size_of::<Vouched>()));
        kept.iter()
            .map(|it| {
                SHARED
                    .saturating_add(block(it.assertion.compact.capacity()))
                    .saturating_add(block(it.assertion.id.capacity()))
                    .saturating_add(block(size_of_val(&*it.roles)))
            })
            .fold(list, usize::saturating_add)
    }
}
