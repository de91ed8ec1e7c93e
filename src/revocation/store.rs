//! The document of revocations over time.

use super::{MAX_DOCUMENT_BYTES, RevocationList, RevocationSource};
use crate::fetch::{
    Answer, Cause, Cycle, Document, Fetch, FetchError, Polling, Remote, Report, Step,
};
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use std::time::Duration;

/// How long a request may wait for the first document, where the host lets it.
const WAIT: Duration = Duration::from_secs(2);

/// A document of revocations, fetched again and again.
#[derive(Debug)]
pub struct RevocationStore {
    source: RevocationSource,
    cycle: Cycle,
    list: Option<RevocationList>,
    /// Of the document that was read last.
    digest: [u8; 32],
}

impl RevocationStore {
    /// A store that has fetched nothing yet and wants to. `owner` is random for each VM.
    #[must_use]
    pub fn new(source: RevocationSource, owner: u64) -> Self {
        // Asked for before the interval is over, so that a revocation is in force within it: the time between
        // two ticks and the fetch's own are part of it.
        let interval = source.polling.refresh;
        let polling = Polling {
            refresh: interval.saturating_sub(interval.checked_div(5).unwrap_or_default()),
            ..source.polling.clone()
        };
        let cycle = Cycle::new("revocations", &place(&source), polling, owner);
        Self {
            source,
            cycle,
            list: None,
            digest: [0; 32],
        }
    }

    /// The document that was fetched last, for a request, and whether it is young enough to count.
    pub fn current(
        &mut self,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> (Option<&RevocationList>, bool) {
        self.cycle.used(now);
        if self.cycle.serving_since(now).is_none() {
            self.look(now, shared);
        }
        let counts = self.cycle.serving_since(now).is_some();
        (self.list.as_ref(), counts)
    }

    /// How long a request may wait for a document that is coming.
    #[must_use]
    pub fn wait(&self, now: UnixTime) -> Option<Duration> {
        self.cycle.may_come(now, WAIT).then_some(WAIT)
    }

    /// Reads a document; the one before stays where it is none. Tells how many entries it has, if it is
    /// another.
    fn install(&mut self, body: &[u8]) -> Result<Option<usize>, FetchError> {
        let digest = crate::sha256::Hash::hash(body);
        if self.list.is_some() && digest == self.digest {
            return Ok(None);
        }
        let list = RevocationList::parse(body)
            .map_err(|error| FetchError::new(Cause::Parse, error.to_string()))?;
        let entries = list.len();
        self.list = Some(list);
        self.digest = digest;
        Ok(Some(entries))
    }
}

impl Remote for RevocationStore {
    fn name(&self) -> String {
        "the revocations".into()
    }

    fn cycle(&mut self) -> &mut Cycle {
        &mut self.cycle
    }

    fn request(&mut self) -> Fetch {
        Fetch {
            flight: self.cycle.flight().unwrap_or_default(),
            cluster: self.source.polling.cluster_of(&self.source.uri),
            uri: self.source.uri.clone(),
            timeout: self.source.polling.timeout,
            etag: self.cycle.etag().map(String::from),
            max_bytes: MAX_DOCUMENT_BYTES,
        }
    }

    fn adopt(&mut self, document: &Document) -> Result<Option<String>, FetchError> {
        self.install(&document.body)?;
        Ok(document.etag.clone())
    }

    fn take(
        &mut self,
        answer: Answer,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> Result<Step, FetchError> {
        match answer {
            Answer::Unchanged => {
                self.cycle.unchanged(now, shared);
                Ok(Step::Done(Report::Unchanged))
            }
            Answer::Document { etag, body } => {
                if body.len() > MAX_DOCUMENT_BYTES {
                    return Err(FetchError::too_large(body.len(), MAX_DOCUMENT_BYTES));
                }
                let entries = self.install(&body)?;
                self.cycle.fetched(etag, &body, now, shared);
                Ok(Step::Done(match entries {
                    None => Report::Unchanged,
                    Some(entries) => Report::Fetched {
                        what: format!("{entries} entries from {}", self.source.uri),
                        warnings: Vec::new(),
                    },
                }))
            }
        }
    }
}

/// All that decides where the document comes from, which names it in shared data.
fn place(source: &RevocationSource) -> String {
    format!("revocations\n{}\n{:?}", source.uri, source.polling.cluster)
}
