//! That no token of a cold pool is in the gate's cache when it comes: no counter of the filter tells, so the core with
//! the same policy is asked, natively. The `.wasm` has the same cache.

use jobgate::gate::{Decision, DecisionId, Request, State, judge};
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;

use super::error::Error;
use super::filters::policy;
use super::job::{self, METHOD, PATH};
use super::tokens::{Pool, Tokens, now};

/// Sends the gate the pool and then some of it again.
pub(super) fn check(pool: Pool, tokens: &Tokens) -> Result<(), Error> {
    let failed = |what: String| Error::Cache {
        variant: "jobgate",
        what,
    };
    let document = policy(&job::issuer(pool.algorithm()), 1).to_string();
    let policy = Policy::from_json(document.as_bytes())
        .map_err(|errors| failed(format!("its policy is none: {errors}")))?;
    let mut state = State::alone(&policy);
    let now = UnixTime::from_secs(now());
    let again = tokens.tokens.len() / 10;
    let cycle = tokens
        .tokens
        .iter()
        .cycle()
        .take(tokens.tokens.len() + again);
    for (nth, token) in cycle.enumerate() {
        let decision = ask(&policy, &mut state, token, now);
        if decision.outcome.is_err() {
            return Err(failed(format!("the core refuses token {nth} of {pool:?}")));
        }
        let is_repeated = nth >= tokens.tokens.len();
        let should_be_known = is_repeated && matches!(pool, Pool::Warm(_));
        if decision.cached != should_be_known {
            return Err(failed(format!(
                "its cache has token {nth} of {pool:?}: {}, which it should: {should_be_known}",
                decision.cached
            )));
        }
    }
    Ok(())
}

fn ask<'p>(policy: &'p Policy, state: &mut State, token: &str, now: UnixTime) -> Decision<'p> {
    let bearer = format!("Bearer {token}").into_bytes();
    let headers: HeaderMap = [("authorization".to_owned(), bearer)].into_iter().collect();
    let request = Request::new(&headers, METHOD.as_bytes(), PATH.as_bytes());
    judge(
        policy,
        state,
        &NoSharedData,
        request,
        DecisionId::new(now, 1, 1),
        now,
    )
}
