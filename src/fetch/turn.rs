//! Whose turn it is to fetch a document, and what was fetched: two values in the host's shared data, so that
//! all workers of a proxy make one fetch among them.

use crate::hex::hex;
use crate::json;
use crate::shared_data::{Failed, SetError, SharedData};
use crate::time::UnixTime;
use serde::Serialize;
use serde_json::Value;

/// Names the place and the form of the values; another form is another name.
const PREFIX: &str = "jobgate/1";

/// A value with the name of what it is for. Kong tells keys apart by a checksum of 32 bits: whoever may choose
/// an address could choose one whose key is another's, too.
#[derive(Debug, Serialize)]
struct Labelled<T> {
    of: String,
    #[serde(flatten)]
    value: T,
}

/// Who may fetch, and since when there is what. Times in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Turn {
    /// Before this moment nobody else fetches: a fetch is under way, or the last one failed.
    pub(super) until_ms: u64,
    /// Who fetches or fetched last.
    pub(super) owner: u64,
    /// Fetches that failed in a row.
    pub(super) failures: u32,
    /// When the last early fetch was sent.
    pub(super) early_ms: u64,
    /// When the document that is there was asked for; 0 while there is none.
    pub(super) asked_ms: u64,
}

impl Turn {
    /// The turn that was written as `value`.
    fn from_value(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64();
        Some(Self {
            until_ms: number("until_ms")?,
            owner: number("owner")?,
            failures: number("failures")?.try_into().ok()?,
            early_ms: number("early_ms")?,
            asked_ms: number("asked_ms")?,
        })
    }
}

/// A turn as it was read, with what must be shown to write it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadTurn {
    pub(super) turn: Turn,
    cas: Option<u32>,
}

/// A document that some worker fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// When the request for it was sent.
    pub asked_at: UnixTime,
    /// Its entity tag (RFC 9110, section 8.8.3).
    pub etag: Option<String>,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// The largest value that is shared, in bytes. A larger document would push the rest out of a zone of Kong's, and
/// ends the VM where it does not fit; each worker fetches it for itself.
const MOST: usize = 128 * 1024;

/// What stands before a document's bytes, in a line of its own.
#[derive(Debug, Serialize)]
struct Head {
    etag: Option<String>,
    /// How many bytes the document has; what follows them is filling.
    bytes: usize,
}

impl Head {
    /// The head that was written as `value`.
    fn from_value(value: &Value) -> Option<Self> {
        let etag = match value.get("etag") {
            None | Some(Value::Null) => None,
            Some(etag) => Some(etag.as_str()?.to_owned()),
        };
        let bytes = value.get("bytes")?.as_u64()?.try_into().ok()?;
        Some(Self { etag, bytes })
    }
}

/// The least size of a value. Sizes go up by doubling, so that a value hardly ever grows: where one does,
/// Kong's store looks for a larger block, and when it is full it may make room by dropping the very value that
/// grows.
const LEAST: usize = 512;

/// The two values of one document.
#[derive(Debug, Clone)]
pub(super) struct Place {
    name: String,
    turn: String,
    document: String,
}

impl Place {
    /// The place of a document of this kind, by all that decides what is fetched for it.
    pub(super) fn new(kind: &str, what: &str) -> Self {
        let digest = crate::sha256::Hash::hash(what.as_bytes());
        let name = format!("{kind}-{}", hex(digest.get(..16).unwrap_or_default()));
        Self {
            turn: format!("{PREFIX}/turn/{name}"),
            document: format!("{PREFIX}/document/{name}"),
            name,
        }
    }

    /// The turn; a blank one where there is none, or none that can be read. Nothing without shared data.
    pub(super) fn read(&self, shared: &dyn SharedData) -> Option<ReadTurn> {
        let (value, cas) = shared.get(&self.turn).ok()?;
        let turn = value
            .and_then(|value| Turn::from_value(&self.unlabelled(&value)?))
            .unwrap_or_default();
        Some(ReadTurn { turn, cas })
    }

    /// Writes a turn over the one that was read.
    pub(super) fn write(
        &self,
        shared: &dyn SharedData,
        read: ReadTurn,
        turn: Turn,
    ) -> Result<(), SetError> {
        shared.set(&self.turn, &filled(self.labelled(turn)?), read.cas)
    }

    /// The document, if there is one.
    pub(super) fn document(&self, shared: &dyn SharedData, asked_at: UnixTime) -> Option<Document> {
        let value = shared.get(&self.document).ok()?.0?;
        let end = value.iter().position(|byte| *byte == b'\n')?;
        let (head, body) = value.split_at_checked(end)?;
        let Head { etag, bytes } = Head::from_value(&self.unlabelled(head)?)?;
        Some(Document {
            asked_at,
            etag,
            body: body.get(1..)?.get(..bytes)?.to_vec(),
        })
    }

    /// Puts a document there, if `owner` still has the turn: one whose fetch took so long that another was
    /// sent must not write its older document over the newer one.
    pub(super) fn put(
        &self,
        shared: &dyn SharedData,
        owner: u64,
        etag: Option<&str>,
        body: &[u8],
    ) -> Result<(), SetError> {
        // In this order: who takes the turn later writes the document later, and then this cas is void.
        let (_, cas) = shared.get(&self.document).map_err(SetError::Failed)?;
        let still_mine = |read: ReadTurn| read.turn.owner == owner;
        if !self.read(shared).is_some_and(still_mine) {
            return Err(SetError::Conflict);
        }
        let (etag, bytes) = (etag.map(String::from), body.len());
        let mut value = self.labelled(Head { etag, bytes })?;
        value.push(b'\n');
        value.extend_from_slice(body);
        let value = filled(value);
        if value.len() > MOST {
            return Err(SetError::Failed(Failed(
                "the document is too large to be shared".into(),
            )));
        }
        shared.set(&self.document, &value, cas)
    }

    fn labelled<T: Serialize>(&self, value: T) -> Result<Vec<u8>, SetError> {
        let of = self.name.clone();
        serde_json::to_vec(&Labelled { of, value })
            .map_err(|error| SetError::Failed(Failed(error.to_string())))
    }

    /// The value, if it is labelled with this name.
    fn unlabelled(&self, text: &[u8]) -> Option<Value> {
        let value = json::parse(text).ok()?;
        (value.get("of")?.as_str()? == self.name).then_some(value)
    }
}

/// The value with spaces behind it, which mean nothing in JSON.
fn filled(mut value: Vec<u8>) -> Vec<u8> {
    let size = value.len().max(LEAST).next_power_of_two();
    value.resize(size, b' ');
    value
}
