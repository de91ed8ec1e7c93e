//! What is kept of tokens that failed, so that a flood of them costs little.

use super::compact::Compact;
use super::rejected::{RejectedTokens, Rejection};
use crate::limit::{FailingSources, Rate, Source, SourceAddress};
use crate::reason::{Reason, Refusal};
use crate::time::UnixTime;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What all gates of a VM keep of tokens that failed.
#[derive(Debug, Default)]
pub struct FailureTables {
    rejected: RefCell<RejectedTokens>,
    sources: RefCell<FailingSources>,
}

/// What the gate of one policy keeps of tokens that failed.
#[derive(Debug)]
pub struct Failures {
    tables: Rc<FailureTables>,
    gate: u64,
    limit: Option<Rate>,
}

/// A refusal to verify a token, since too many from its source failed.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    /// How long it lasts.
    pub(super) retry: Duration,
}

impl Failures {
    /// Of the gate with this number, which no other gate of these tables ever has: one gate's keys are not
    /// another's. `limit` is how often the tokens of a source may fail.
    #[must_use]
    pub const fn new(tables: Rc<FailureTables>, gate: u64, limit: Option<Rate>) -> Self {
        Self {
            tables,
            gate,
            limit,
        }
    }

    /// Whether tokens of this source are not verified at the moment.
    pub(super) fn refuses(&self, source: &dyn Source, now: UnixTime) -> Option<Refused> {
        let rate = self.limit.as_ref()?;
        let sources = self.tables.sources.try_borrow().ok()?;
        let retry = sources.wait(rate, || address(source), now)?;
        let detail = format!(
            "too many tokens from the client's address failed verification, of which {rate} may; the next that is new is verified in {} ms",
            retry.as_nanos().div_ceil(1_000_000)
        );
        Some(Refused {
            refusal: Refusal::new(Reason::RateLimited, detail),
            retry,
        })
    }

    /// What is known of a token whose signature did not verify before. `serving` is as for
    /// [`RejectedTokens::get`].
    pub(super) fn find(
        &self,
        token: &Compact<'_>,
        serving: impl Fn(usize) -> Option<u64>,
    ) -> Option<Rejection> {
        let mut rejected = self.tables.rejected.try_borrow_mut().ok()?;
        rejected.get(self.gate, token, serving)
    }

    /// Remembers a token whose signature a key of this generation did not verify.
    pub(super) fn remember(&self, token: &Compact<'_>, keys: u64, rejection: Rejection) {
        if let Ok(mut rejected) = self.tables.rejected.try_borrow_mut() {
            rejected.insert(self.gate, token, keys, rejection);
        }
    }

    /// Counts a token whose signature does not verify.
    pub(super) fn count(&self, source: &dyn Source, now: UnixTime) {
        if let Some(rate) = &self.limit
            && let Some(address) = address(source)
            && let Ok(mut sources) = self.tables.sources.try_borrow_mut()
        {
            sources.count(rate, address, now);
        }
    }
}

fn address(source: &dyn Source) -> Option<SourceAddress> {
    SourceAddress::parse(&source.address()?)
}
