//! The fetched keys of one issuer over time: what serves, and what a missing key means.

use super::discovery::{MAX_METADATA_BYTES, jwks_uri};
use super::{JwksLocation, JwksSource, KeySet, PublicKey};
use crate::fetch::{
    Answer, Cause, Cycle, Document, Fetch, FetchError, HttpUri, Remote, Report, Step,
};
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use crate::token::Algorithm;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// The largest key document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Unknown `kid`s remembered; the oldest is forgotten, and then counts as new.
const MAX_UNKNOWN: usize = 64;

/// Why no key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMiss {
    /// The keys are not known well enough to say; the reason why.
    Unavailable(&'static str),
    /// A set fetched after the `kid` was first seen lacks it.
    Unknown,
}

/// The fetched keys of one issuer.
#[derive(Debug)]
pub struct KeyStore {
    issuer: String,
    source: JwksSource,
    cycle: Cycle,
    set: Option<KeySet>,
    /// Of the document that the set was read from.
    digest: [u8; 32],
    generation: u64,
    /// Where the metadata said that the keys are, while they are being fetched from there.
    discovered: Option<HttpUri>,
    /// Where the entity tag is from: another address has other tags.
    tagged: Option<HttpUri>,
    /// Hashes of `kid`s that no set held, and when each was first seen.
    unknown: VecDeque<(u64, UnixTime)>,
}

impl KeyStore {
    /// A store that has fetched nothing yet and wants to. `owner` is random for each VM.
    #[must_use]
    pub fn new(issuer: &str, source: JwksSource, owner: u64) -> Self {
        let cycle = Cycle::new(
            "keys",
            &place(issuer, &source),
            source.polling.clone(),
            owner,
        );
        Self {
            issuer: issuer.into(),
            source,
            cycle,
            set: None,
            digest: [0; 32],
            generation: 0,
            discovered: None,
            tagged: None,
            unknown: VecDeque::new(),
        }
    }

    /// The key for a token.
    ///
    /// # Errors
    /// As [`KeyRing::find`](super::KeyRing::find).
    pub fn find(
        &mut self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> Result<Arc<PublicKey>, KeyMiss> {
        self.cycle.used(now);
        if let Some(key) = self.held(kid, algorithm, now) {
            return Ok(key);
        }
        self.look(now, shared);
        match self.held(kid, algorithm, now) {
            Some(key) => Ok(key),
            None => Err(self.miss(kid, now)),
        }
    }

    /// Whether there is a set that is not too old.
    #[must_use]
    pub fn serves(&self, now: UnixTime) -> bool {
        self.set.is_some() && self.cycle.serving_since(now).is_some()
    }

    /// A number from 1 on that changes when the set becomes another one.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// How long a request may wait for keys that are coming.
    #[must_use]
    pub fn wait(&self, now: UnixTime) -> Option<Duration> {
        let wait = self.source.wait;
        (!wait.is_zero() && self.cycle.may_come(now, wait)).then_some(wait)
    }

    fn held(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Option<Arc<PublicKey>> {
        let set = self.set.as_ref().filter(|_| self.serves(now))?;
        set.find_shared(kid, algorithm).cloned()
    }

    fn miss(&mut self, kid: Option<&str>, now: UnixTime) -> KeyMiss {
        let Some(asked_at) = self.cycle.serving_since(now) else {
            return KeyMiss::Unavailable("no key set has been fetched, or the last one is too old");
        };
        let first_seen = self.first_seen(kid, now);
        self.cycle.want_early();
        if asked_at > first_seen {
            KeyMiss::Unknown
        } else {
            KeyMiss::Unavailable("the token's kid is new; the keys are being fetched again")
        }
    }

    fn first_seen(&mut self, kid: Option<&str>, now: UnixTime) -> UnixTime {
        let mut hasher = DefaultHasher::new();
        kid.hash(&mut hasher);
        let kid = hasher.finish();
        if let Some((_, seen)) = self.unknown.iter().find(|(known, _)| *known == kid) {
            return *seen;
        }
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.pop_front();
        }
        self.unknown.push_back((kid, now));
        now
    }

    /// Reads a document; the set that served before stays where it is none.
    fn install(&mut self, body: &[u8]) -> Result<&KeySet, FetchError> {
        let digest = crate::sha256::Hash::hash(body);
        let is_same = self.set.is_some() && digest == self.digest;
        if !is_same {
            let set = KeySet::parse(body)
                .map_err(|error| FetchError::new(Cause::Parse, error.to_string()))?;
            self.set = Some(set);
            self.digest = digest;
            self.generation = self.generation.wrapping_add(1);
        }
        self.set
            .as_ref()
            .ok_or_else(|| FetchError::new(Cause::Parse, "there is no key set"))
    }

    fn keys_from(&self, uri: &HttpUri) -> Fetch {
        let etag = self
            .cycle
            .etag()
            .filter(|_| self.tagged.as_ref() == Some(uri))
            .map(String::from);
        self.fetch(uri, etag, MAX_DOCUMENT_BYTES)
    }

    fn fetch(&self, uri: &HttpUri, etag: Option<String>, max_bytes: usize) -> Fetch {
        Fetch {
            flight: self.cycle.flight().unwrap_or_default(),
            cluster: self.source.polling.cluster_of(uri),
            uri: uri.clone(),
            timeout: self.source.polling.timeout,
            etag,
            max_bytes,
        }
    }
}

impl Remote for KeyStore {
    fn name(&self) -> String {
        format!("the keys of {}", self.issuer)
    }

    fn cycle(&mut self) -> &mut Cycle {
        &mut self.cycle
    }

    fn request(&mut self) -> Fetch {
        self.discovered = None;
        match &self.source.location {
            JwksLocation::Address(uri) => self.keys_from(uri),
            JwksLocation::Discovery { configuration, .. } => {
                self.fetch(configuration, None, MAX_METADATA_BYTES)
            }
        }
    }

    /// From which address it was is not known, and so no entity tag.
    fn adopt(&mut self, document: &Document) -> Result<Option<String>, FetchError> {
        self.install(&document.body)?;
        self.tagged = None;
        Ok(None)
    }

    /// Takes the answer; another fetch where it was metadata.
    fn take(
        &mut self,
        answer: Answer,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> Result<Step, FetchError> {
        let from = match (&self.source.location, self.discovered.take()) {
            (JwksLocation::Address(uri), _) => uri.clone(),
            (JwksLocation::Discovery { .. }, Some(uri)) => uri,
            (
                JwksLocation::Discovery {
                    issuer,
                    configuration,
                },
                None,
            ) => {
                let Answer::Document { body, .. } = answer else {
                    return Err(FetchError::new(
                        Cause::Status,
                        "the server answered with status 304",
                    ));
                };
                let uri = jwks_uri(&body, issuer, configuration)?;
                let fetch = self.keys_from(&uri);
                self.discovered = Some(uri);
                self.cycle.goes_on(now, shared);
                return Ok(Step::Fetch(fetch));
            }
        };
        match answer {
            Answer::Unchanged => {
                self.cycle.unchanged(now, shared);
                Ok(Step::Done(Report::Unchanged))
            }
            Answer::Document { etag, body } => {
                if body.len() > MAX_DOCUMENT_BYTES {
                    return Err(FetchError::too_large(body.len(), MAX_DOCUMENT_BYTES));
                }
                let set = self.install(&body)?;
                let report = Report::Fetched {
                    what: format!("{} keys from {from}", set.len()),
                    warnings: set
                        .skipped
                        .iter()
                        .map(|key| format!("a key is not used: {} (kid {:?})", key.why, key.kid))
                        .collect(),
                };
                self.tagged = Some(from);
                self.cycle.fetched(etag, &body, now, shared);
                Ok(Step::Done(report))
            }
        }
    }
}

/// All that decides where an issuer's keys come from, which names them in shared data: two policies share keys only if they would fetch them for the same issuer, from the same address, through the
/// same cluster.
fn place(issuer: &str, source: &JwksSource) -> String {
    let kind = match &source.location {
        JwksLocation::Address(_) => "address",
        JwksLocation::Discovery { .. } => "discovery",
    };
    // None of the parts holds a line break: quoted, it would be escaped.
    format!(
        "jwks\n{issuer:?}\n{kind}\n{}\n{:?}",
        source.location, source.polling.cluster
    )
}

#[cfg(test)]
impl KeyStore {
    /// How many unknown `kid`s are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.unknown.len()
    }

    /// Answers the fetch that is under way, if one is.
    pub(super) fn answer(
        &mut self,
        answer: Result<Answer, FetchError>,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> Step {
        let flight = self.cycle.flight().unwrap_or_default();
        self.finish(flight, answer, now, shared)
    }
}
