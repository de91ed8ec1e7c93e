//! Which sessions have ended.
//!
//! Each worker keeps those that it was told of, and writes them into the host's [shared data](crate::shared_data), where
//! there is any: then all workers know at once, and a policy that is loaded anew does too. There are [`PAGES`] pages of
//! [one size](crate::limit::page), made when they are first needed, as those of the limits' buckets are. What stands there
//! are digests and moments.
//!
//! **How many.** A page has room for 160, so there are some ten thousand. On a full page the one that ended first makes
//! way, which the record of the call says: a store that refused to take more would let the job go on that is being ended.
//!
//! **How long.** Until no token of the session can be accepted any more.
//!
//! **What can't be told** is refused: a page that can't be read says nothing of who is on it. One that is not there was
//! never made, or was dropped by a store that is full (Kong's); the worker that was told still knows.

use super::Session;
use crate::limit::nanos_at;
use crate::limit::page::{self, Page, Unchanged};
use crate::shared_data::{ATTEMPTS, Failed, SharedData, UpdateError};
use crate::time::UnixTime;
use std::cell::RefCell;

/// How many pages there are. Each takes [`page::BYTES`] of the host's store.
pub const PAGES: u8 = 64;

/// The key of a page in the host's store. It names the version of the format.
fn page_key(page: u8) -> String {
    format!("jobgate/1/session/{page}")
}

/// The sessions that ended, as one worker knows.
#[derive(Debug, Default)]
pub struct Ended {
    /// By their numbers, as far as they are needed.
    pages: RefCell<Vec<(u8, Page)>>,
}

impl Ended {
    /// Puts down that a session has ended, for this worker and for all others. It stays so `until` then. Whether another
    /// one made way for it before its time.
    ///
    /// # Errors
    /// When the others could not be told.
    pub fn end(
        &self,
        data: &dyn SharedData,
        session: Session,
        until: UnixTime,
        now: UnixTime,
    ) -> Result<bool, Failed> {
        let until = nanos_at(until);
        let mut has_dropped = false;
        if let Ok(mut pages) = self.pages.try_borrow_mut() {
            if !pages.iter().any(|(number, _)| *number == session.page) {
                pages.push((session.page, Page::default()));
            }
            let mut pages = pages.iter_mut();
            if let Some((_, page)) = pages.find(|(number, _)| *number == session.page) {
                has_dropped = page.put_over(session.key, until, now);
            }
        }
        tell(data, session, until, now, &mut has_dropped)?;
        Ok(has_dropped)
    }

    /// Whether a session has ended.
    ///
    /// # Errors
    /// When that can't be told.
    pub fn has(
        &self,
        data: &dyn SharedData,
        session: Session,
        now: UnixTime,
    ) -> Result<bool, Failed> {
        let lasts = |until: Option<u64>| until.is_some_and(|until| until > nanos_at(now));
        let is_known = self.pages.try_borrow().is_ok_and(|pages| {
            let page = pages.iter().find(|(number, _)| *number == session.page);
            lasts(page.and_then(|(_, page)| page.get(&session.key)))
        });
        if is_known || !data.is_there() {
            return Ok(is_known);
        }
        let (Some(bytes), _) = data.get(&page_key(session.page))? else {
            return Ok(false);
        };
        let page = Page::decode(&bytes)
            .ok_or_else(|| Failed("a page of ended sessions can't be read".into()))?;
        Ok(lasts(page.get(&session.key)))
    }
}

fn tell(
    data: &dyn SharedData,
    session: Session,
    until: u64,
    now: UnixTime,
    has_dropped: &mut bool,
) -> Result<(), Failed> {
    if !data.is_there() {
        return Ok(());
    }
    let key = page_key(session.page);
    for _ in 0..ATTEMPTS {
        let changed = page::change(data, &key, &mut |page| {
            *has_dropped |= page.put_over(session.key, until, now);
            true
        });
        match changed {
            Ok(()) => return Ok(()),
            Err(UpdateError::Absent | UpdateError::Refused(Unchanged::Unreadable)) => {
                page::make(data, &key)?;
            }
            Err(UpdateError::Failed(failed)) => return Err(failed),
            Err(UpdateError::Contended | UpdateError::Refused(Unchanged::Left)) => {}
        }
    }
    Err(Failed(
        "other workers kept changing the ended sessions".into(),
    ))
}
