//! Rate limits: how often jobs are let through, counted by claims.
//!
//! Each limit has a [token bucket](rate) for every job that differs in the claims of its key. The buckets stand in
//! the host's [shared data](crate::shared_data), so that all workers of a gateway draw from the same. The reasons
//! for their form are those of [`crate::replay`]: no value of the host's has an expiry, and Kong tells keys apart by
//! CRC-32 alone and drops values when its zone is full. So there is a fixed number of [pages](page) of one size, made
//! when they are first needed; the buckets' own names stand within, and one that is full again makes room.
//!
//! **Two at once.** A page is changed by compare-and-swap alone ([`update`]). Nothing counts as taken before the
//! write succeeded.
//!
//! **Several limits on one request.** All must have room. They are looked at first, and a request that one of them
//! refuses takes nothing from any. Should another worker be faster between looking and taking, what was taken of the
//! others is given back; so it is when the request is refused after its limits, as a replay.
//!
//! **What is forgotten is forgiven.** A page that is missing is made anew, with all of its buckets full: after a
//! restart, and when a zone of Kong that is too small dropped it. To refuse instead would make every start an outage,
//! and a limit protects from load, not from entry. A job can't bring it about: the number of pages is fixed, whatever
//! it sends. What can't be told (there is no shared data; a page has no room; other workers are always faster) is
//! refused with `limits_unavailable`, or passes, as the limit says.
//!
//! **Clocks.** Workers' clocks may differ by [`SKEW`](rate), and the count holds. Where the clock went back by more,
//! a bucket that would be in debt until it is there again is taken for an empty one.

mod address;
mod failing;
pub mod page;
mod policy;
mod rate;

pub use address::{NoSource, Source, SourceAddress};
pub use failing::FailingSources;
pub use policy::{Enforcer, Limit, Tier, WhenUnavailable};
pub(crate) use rate::nanos_at;
pub use rate::{Level, Rate, WrongRate};

use crate::policy::{Issuer, Permit};
use crate::reason::{Reason, Refusal};
use crate::shared_data::{ATTEMPTS, Failed, SharedData, UpdateError};
use crate::time::UnixTime;
use crate::token::Claims;
use page::{Page, Unchanged};
use policy::Place;
use rate::Attempt;
use std::borrow::Cow;
use std::time::Duration;

/// How many pages there are. Each takes [`page::BYTES`] of the host's store.
pub const PAGES: u8 = 128;

/// The key of a page in the host's store. It names the version of the format.
fn page_key(page: u8) -> String {
    format!("jobgate/1/limit/{page}")
}

/// How a request stands with a limit that is for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The limit, by its place in the policy.
    pub limit: usize,
    /// How it stands.
    pub state: State,
}

/// How a request stands with a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// What the job's next request would find, and the rate of its bucket.
    Counted(Level, Rate),
    /// That can't be told.
    Unavailable,
    /// The gateway's own limiter counts, by this name of the job's bucket.
    HandedOn(String),
}

/// What a request took from its limits.
#[derive(Debug, Default)]
pub struct Taken(Vec<(Bucket, u64)>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    place: Place,
    rate: Rate,
}

/// Why nothing was taken from a bucket.
enum Stop {
    /// It has no room.
    Waits(Level),
    /// Whether it has room can't be told, for this reason.
    Unknown(Cow<'static, str>),
}

/// Takes one token from each limit that is for a request with this permit, or none from any.
///
/// `standings` is told how the request stands with each of them.
///
/// # Errors
/// `rate_limited` if a limit has no room, `limits_unavailable` if that can't be told and the limit says to refuse
/// then, `claim_missing` if the token lacks a claim that a limit counts by.
pub fn take(
    data: &dyn SharedData,
    limits: &[Limit],
    permit: &Permit,
    issuer: &Issuer,
    claims: &Claims,
    now: UnixTime,
    standings: &mut Vec<Standing>,
) -> Result<Taken, Refusal> {
    let mut counted = Vec::new();
    for (nth, limit) in limits.iter().enumerate() {
        if !limit.is_for(permit) {
            continue;
        }
        let job = limit
            .job(issuer, claims)
            .inspect_err(|_| standings.clear())?;
        let state = match &limit.enforcer {
            Enforcer::Gateway { .. } => State::HandedOn(policy::name_of(job)),
            Enforcer::Gate {
                rate,
                tiers,
                unavailable,
            } => {
                let (rate, tier) = Limit::rate_of(*rate, tiers, permit, claims);
                let place = Place::new(job, &rate, tier);
                counted.push(Counted {
                    limit,
                    bucket: Bucket { place, rate },
                    unavailable: *unavailable,
                    standing: standings.len(),
                });
                // Until it is looked at.
                State::Unavailable
            }
        };
        standings.push(Standing { limit: nth, state });
    }
    let mut tell = |counted: &Counted<'_>, state| {
        if let Some(standing) = standings.get_mut(counted.standing) {
            standing.state = state;
        }
    };
    // Of one bucket taking tells as much as looking.
    if counted.len() > 1 {
        look(data, &counted, now, &mut tell)?;
    }
    let mut taken = Taken::default();
    for counted in &counted {
        let bucket = counted.bucket;
        let refusal = match bucket.take(data, now) {
            Ok(stands) => {
                taken.0.push((bucket, stands));
                let level = bucket.rate.level(Some(stands), now);
                tell(counted, State::Counted(level, bucket.rate));
                continue;
            }
            Err(Stop::Waits(level)) => {
                tell(counted, State::Counted(level, bucket.rate));
                counted.refusal(&level)
            }
            Err(Stop::Unknown(why)) => {
                tell(counted, State::Unavailable);
                match counted.unavailable {
                    WhenUnavailable::Deny => Refusal::new(Reason::LimitsUnavailable, why),
                    WhenUnavailable::Allow => continue,
                }
            }
        };
        taken.give_back(data, now);
        return Err(refusal);
    }
    Ok(taken)
}

/// A limit that counts a request here.
struct Counted<'a> {
    limit: &'a Limit,
    bucket: Bucket,
    unavailable: WhenUnavailable,
    /// The place of what is told of it.
    standing: usize,
}

impl Counted<'_> {
    fn refusal(&self, level: &Level) -> Refusal {
        let detail = format!(
            "the limit {:?} is {}; the job's next request passes in {} ms",
            self.limit.id,
            self.bucket.rate,
            level.retry.as_nanos().div_ceil(1_000_000)
        );
        Refusal::new(Reason::RateLimited, detail)
    }
}

/// Looks at several buckets, and takes from none. Of those without room the one that takes longest refuses.
fn look(
    data: &dyn SharedData,
    counted: &[Counted<'_>],
    now: UnixTime,
    tell: &mut dyn FnMut(&Counted<'_>, State),
) -> Result<(), Refusal> {
    let mut longest: Option<(Level, &Counted<'_>)> = None;
    for counted in counted {
        // What can't be told shows when it is taken.
        let Ok(level) = counted.bucket.look(data, now) else {
            continue;
        };
        tell(counted, State::Counted(level, counted.bucket.rate));
        let before = longest.map_or(Duration::ZERO, |(before, _)| before.retry);
        if level.retry > before {
            longest = Some((level, counted));
        }
    }
    match longest {
        Some((level, counted)) => Err(counted.refusal(&level)),
        None => Ok(()),
    }
}

impl Bucket {
    fn look(&self, data: &dyn SharedData, now: UnixTime) -> Result<Level, Failed> {
        let (page, _) = data.get(&page_key(self.place.page))?;
        let stands = page
            .and_then(|page| Page::decode(&page))
            .and_then(|page| page.get(&self.place.key));
        Ok(self.rate.level(stands, now))
    }

    /// Takes a token, and says where the bucket stands then.
    fn take(&self, data: &dyn SharedData, now: UnixTime) -> Result<u64, Stop> {
        for _ in 0..ATTEMPTS {
            // What the last page that was read says of this request.
            let mut told = Err(Stop::Unknown("nothing was read".into()));
            let changed = self.change(data, &mut |page| {
                let (stands, answer) = match self.rate.attempt(page.get(&self.place.key), now) {
                    Attempt::Passes(stands) => (Some(stands), Ok(stands)),
                    Attempt::Waits(level, mended) => (mended, Err(Stop::Waits(level))),
                };
                told = answer;
                let Some(stands) = stands else {
                    return false;
                };
                let is_put = page.put(self.place.key, stands, now).is_ok();
                if !is_put {
                    told = Err(Stop::Unknown(
                        "a page of the limits' buckets is full".into(),
                    ));
                }
                is_put
            });
            match changed {
                Ok(()) | Err(UpdateError::Refused(Unchanged::Left)) => return told,
                Err(UpdateError::Absent | UpdateError::Refused(Unchanged::Unreadable)) => {}
                Err(UpdateError::Contended) => {
                    let why = "other workers kept changing the limits' buckets";
                    return Err(Stop::Unknown(why.into()));
                }
                Err(UpdateError::Failed(failed)) => {
                    return Err(Stop::Unknown(failed.to_string().into()));
                }
            }
            self.make_page(data)
                .map_err(|failed| Stop::Unknown(failed.to_string().into()))?;
        }
        let why = "the gateway's shared data keeps dropping the limits' buckets";
        Err(Stop::Unknown(why.into()))
    }

    /// Puts a token back that was taken for nothing. If that fails a token is lost, which comes back in time.
    fn give_back(&self, data: &dyn SharedData, taken: u64, now: UnixTime) {
        _ = self.change(data, &mut |page| {
            let before = page
                .get(&self.place.key)
                .and_then(|stands| self.rate.given_back(stands, taken));
            before.is_some_and(|before| page.put(self.place.key, before, now).is_ok())
        });
    }

    fn change(
        &self,
        data: &dyn SharedData,
        change: &mut dyn FnMut(&mut Page) -> bool,
    ) -> Result<(), UpdateError<Unchanged>> {
        page::change(data, &page_key(self.place.page), change)
    }

    fn make_page(&self, data: &dyn SharedData) -> Result<(), Failed> {
        page::make(data, &page_key(self.place.page))
    }
}

impl Taken {
    /// Gives back what was taken, since the request does not pass after all.
    pub fn give_back(&self, data: &dyn SharedData, now: UnixTime) {
        for (bucket, taken) in &self.0 {
            bucket.give_back(data, *taken, now);
        }
    }
}

#[cfg(test)]
mod tests;
