//! Documents that are fetched: from where, how often, and by which of a proxy's workers.
//!
//! What enters is the time, the answers of fetches and the host's shared data; what leaves are fetches that
//! are wanted. Nothing here does I/O.

mod cycle;
mod error;
mod turn;
mod uri;

pub use cycle::{Cycle, Wish};
pub use error::{Cause, FetchError};
pub use turn::Document;
pub use uri::HttpUri;

use crate::shared_data::SharedData;
use crate::time::UnixTime;
use std::time::Duration;

/// How and how often a document is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polling {
    /// What the host calls the server (Envoy a cluster's name, Kong `host:port`); without it `host:port` of
    /// the address is used.
    pub cluster: Option<String>,
    /// Age at which a document is fetched again.
    pub refresh: Duration,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// Age up to which the last good document serves when fetching fails.
    pub max_stale: Duration,
}

impl Polling {
    /// What the host calls the server of this address.
    #[must_use]
    pub fn cluster_of(&self, uri: &HttpUri) -> String {
        self.cluster.clone().unwrap_or_else(|| uri.host_and_port())
    }
}

/// A request that the host should send: `GET`, and the answer goes to [`Remote::finish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Which fetch it belongs to.
    pub flight: u64,
    /// What the host calls the server.
    pub cluster: String,
    /// The address.
    pub uri: HttpUri,
    /// How long it may take.
    pub timeout: Duration,
    /// The entity tag of what is there already (`if-none-match`).
    pub etag: Option<String>,
    /// The largest body that is read, in bytes.
    pub max_bytes: usize,
}

/// Whether text is an entity tag that can be sent back (RFC 9110, section 8.8.3): visible ASCII in quotes, and not
/// too much of it.
#[must_use]
pub fn is_entity_tag(text: &str) -> bool {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    text.len() <= 256
        && quoted.len() >= 2
        && quoted.starts_with('"')
        && quoted.ends_with('"')
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The document.
    Document {
        /// Its entity tag.
        etag: Option<String>,
        /// Its bytes.
        body: Vec<u8>,
    },
    /// It is as it was (304).
    Unchanged,
}

/// What comes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Another request, for what the first one named.
    Fetch(Fetch),
    /// The fetch is over.
    Done(Report),
    /// Nobody waited for this answer any more.
    Ignored,
}

/// What came of a fetch, for the log and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A new document serves.
    Fetched {
        /// What it holds, in words.
        what: String,
        /// What about it should be looked at.
        warnings: Vec<String>,
    },
    /// It is as it was.
    Unchanged,
    /// It failed; what served before goes on serving until it is too old.
    Failed {
        /// Why.
        error: FetchError,
        /// When it is tried again.
        retry_in: Duration,
    },
}

/// Something that is fetched and kept. What differs between documents is required here; how they are fetched,
/// shared and given up is the same for all.
pub trait Remote {
    /// What it is, for the log: "the keys of https://...".
    fn name(&self) -> String;

    /// Where it is in its life.
    fn cycle(&mut self) -> &mut Cycle;

    /// The first request of a fetch.
    fn request(&mut self) -> Fetch;

    /// Reads what another worker fetched, and tells with which entity tag it may be asked for again.
    ///
    /// # Errors
    /// When it is no good; what served before goes on serving.
    fn adopt(&mut self, document: &Document) -> Result<Option<String>, FetchError>;

    /// Takes the answer of a request of the fetch under way.
    ///
    /// # Errors
    /// When it is no good; what served before goes on serving.
    fn take(
        &mut self,
        answer: Answer,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> Result<Step, FetchError>;

    /// Takes what other workers have fetched already, if it is newer: so a reload leaves no gap.
    fn look(&mut self, now: UnixTime, shared: &dyn SharedData) {
        if let Some(document) = self.cycle().look(now, shared) {
            self.offer(&document);
        }
    }

    /// Takes another worker's document, or turns it down.
    fn offer(&mut self, document: &Document) {
        match self.adopt(document) {
            Ok(etag) => self.cycle().adopted(document.asked_at, etag),
            Err(_) => self.cycle().rejected(document.asked_at),
        }
    }

    /// The request to send now, if one is due. What another worker fetched is taken on the way.
    fn poll(&mut self, now: UnixTime, shared: &dyn SharedData) -> Option<Fetch> {
        match self.cycle().poll(now, shared) {
            Wish::Nothing => None,
            Wish::Adopt(document) => {
                self.offer(&document);
                None
            }
            Wish::Fetch => Some(self.request()),
        }
    }

    /// Takes the answer of a request of the fetch of this number.
    fn finish(
        &mut self,
        flight: u64,
        answer: Result<Answer, FetchError>,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> Step {
        if self.cycle().flight() != Some(flight) {
            return Step::Ignored;
        }
        match answer.and_then(|answer| self.take(answer, now, shared)) {
            Ok(step) => step,
            Err(error) => match self.cycle().failed(now, shared) {
                Some(retry_in) => Step::Done(Report::Failed { error, retry_in }),
                None => Step::Ignored,
            },
        }
    }

    /// Gives up the fetch of this number: nobody will bring its answer.
    fn abandon(&mut self, flight: u64) {
        self.cycle().abandon(flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_quoted_visible_and_short() {
        for good in ["\"\"", "\"v1\"", "W/\"a-b\""] {
            assert!(is_entity_tag(good), "{good}");
        }
        let long = format!("\"{}\"", "x".repeat(300));
        for bad in [
            "",
            "\"",
            "v1",
            "W/v1",
            "\"a b\"",
            "\"a\r\nx: y\"",
            "\"é\"",
            &long,
        ] {
            assert!(!is_entity_tag(bad), "{bad}");
        }
    }
}
