//! Tokens by the thousand, minted once and kept below `target/bench` while they are good.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use super::error::Error;
use super::job;
use crate::keys::Algorithm;

/// The tokens that a variant is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// A few, over and over: every cache has them.
    Warm(Algorithm),
    /// So many, one after the other, that each is forgotten when it comes again.
    Cold(Algorithm),
}

/// How many tokens a cold pool has: several times what any cache here holds by default.
pub(super) const COLD: usize = 5_000;

/// How many a warm one has: fewer than the 100 that Envoy's cache holds by default.
pub(super) const WARM: usize = 16;

/// How old tokens may get of the seven days that they live.
const KEPT: u64 = 3 * 24 * 60 * 60;

/// A pool's tokens, in a file with one on each line.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) file: PathBuf,
    pub(super) tokens: Vec<String>,
}

impl Pool {
    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::Warm(algorithm) | Self::Cold(algorithm) => algorithm,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::Warm(_) => WARM,
            Self::Cold(_) => COLD,
        }
    }

    /// Those of an earlier run, or new ones.
    pub(super) fn tokens(self, folder: &Path, progress: impl Fn(&str)) -> Result<Tokens, Error> {
        let kind = match self {
            Self::Warm(_) => "warm",
            Self::Cold(_) => "cold",
        };
        let name = self.algorithm().name();
        let file = folder.join(format!("tokens-{name}-{kind}"));
        let now = now();
        let kept = fs::read_to_string(&file).ok();
        if let Some(tokens) = kept.and_then(|text| kept_tokens(&text, self, now)) {
            return Ok(Tokens { file, tokens });
        }
        if let Self::Cold(_) = self {
            progress(&format!("minting {} tokens with {name}", self.size()));
        }
        let tokens = mint(self, now);
        fs::write(&file, tokens.join("\n") + "\n")
            .map_err(Error::io(format!("writing {}", file.display())))?;
        Ok(Tokens { file, tokens })
    }
}

/// The tokens of an earlier run, if they are what would be minted now but for their times.
fn kept_tokens(text: &str, pool: Pool, now: u64) -> Option<Vec<String>> {
    let tokens: Vec<_> = text.lines().map(str::to_owned).collect();
    let first = tokens.first()?;
    let minted = minted_at(first)?;
    let is_same = |nth: usize| {
        let token = job::issuer(pool.algorithm()).mint(&job::good(nth), minted);
        tokens.get(nth) == Some(&token)
    };
    let is_fresh = (minted..minted + KEPT).contains(&now);
    (is_fresh && tokens.len() == pool.size() && is_same(0) && is_same(pool.size() - 1))
        .then_some(tokens)
}

/// What a token's `iat` says of the moment that it was minted at.
fn minted_at(token: &str) -> Option<u64> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let payload: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    payload["iat"]
        .as_u64()?
        .checked_add_signed(job::good(0).age)
}

fn mint(pool: Pool, now: u64) -> Vec<String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let each = pool.size().div_ceil(threads);
    let share = |first: usize| {
        let issuer = job::issuer(pool.algorithm());
        let last = (first + each).min(pool.size());
        (first..last)
            .map(|nth| issuer.mint(&job::good(nth), now))
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let shares: Vec<_> = (0..pool.size())
            .step_by(each)
            .map(|first| scope.spawn(move || share(first)))
            .collect();
        let minted = shares.into_iter().map(|share| share.join());
        minted
            .flat_map(|share| share.expect("minting does not panic"))
            .collect()
    })
}

/// Seconds since the epoch.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_while_they_are_those_that_would_be_minted() {
        let pool = Pool::Warm(Algorithm::EdDsa);
        let minted = mint(pool, 1_800_000_000);
        let text = minted.join("\n");
        let kept = |text: &str, pool, now| kept_tokens(text, pool, now).is_some();
        assert!(kept(&text, pool, 1_800_000_000));
        assert!(kept(&text, pool, 1_800_000_000 + KEPT - 1));
        assert!(!kept(&text, pool, 1_800_000_000 + KEPT));
        assert!(!kept(&text, pool, 1_799_999_999));
        assert!(!kept(&text, Pool::Warm(Algorithm::Es256), 1_800_000_000));
        assert!(!kept(&minted[1..].join("\n"), pool, 1_800_000_000));
        assert!(!kept("", pool, 1_800_000_000));
        let distinct: std::collections::BTreeSet<_> = minted.iter().collect();
        assert_eq!(distinct.len(), WARM);
    }
}
