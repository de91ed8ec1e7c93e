//! A gateway's log, read on as it grows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::record;

/// What every line about documents that could not be had contains.
const FAILURE: &str = " could not be fetched: ";

/// Follows a log from its beginning; several threads may ask.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How far the file was read.
    offset: u64,
    /// A line that had no end yet.
    rest: Vec<u8>,
    /// Decision records by their ids.
    records: HashMap<String, String>,
    failures: Vec<String>,
}

impl Follower {
    /// The log in this file, which must be there.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let follower = Self {
            path: path.to_owned(),
            seen: Mutex::default(),
        };
        drop(follower.read_on()?);
        Ok(follower)
    }

    /// The decision record of this id, if it is there by now. It is given once.
    ///
    /// # Errors
    ///
    /// If the file can't be read.
    pub fn record(&self, id: &str) -> io::Result<Option<String>> {
        if let Some(record) = self.seen().records.remove(id) {
            return Ok(Some(record));
        }
        Ok(self.read_on()?.records.remove(id))
    }

    /// All lines so far about documents that could not be fetched.
    ///
    /// # Errors
    ///
    /// If the file can't be read.
    pub fn fetch_failures(&self) -> io::Result<Vec<String>> {
        Ok(self.read_on()?.failures.clone())
    }

    fn read_on(&self) -> io::Result<MutexGuard<'_, Seen>> {
        let mut seen = self.seen();
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() < seen.offset {
            // Another file by now, or emptied.
            seen.offset = 0;
            seen.rest.clear();
        }
        file.seek(SeekFrom::Start(seen.offset))?;
        let mut new = Vec::new();
        seen.offset += file.read_to_end(&mut new)? as u64;
        seen.take(&new);
        Ok(seen)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn take(&mut self, new: &[u8]) {
        self.rest.extend(new);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        // Bytes of a request may be in it.
        for line in String::from_utf8_lossy(&whole).lines() {
            if line.contains(FAILURE) {
                self.failures.push(line.to_owned());
            }
            let Some(record) = record::in_line(line) else {
                continue;
            };
            let parsed: Value = serde_json::from_str(record).unwrap_or_default();
            if let Some(id) = parsed["decision_id"].as_str() {
                self.records.insert(id.to_owned(), record.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_is_read_on_as_it_grows() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let record =
            |id: &str| format!(r#"{{"event":"jobgate.decision","decision_id":"{id}","x":1}}"#);
        let mut write = |text: &str| {
            file.write_all(text.as_bytes()).unwrap();
            file.path().to_owned()
        };
        let path = write(&format!(
            "[info] {}, client: x\n[info] {}",
            record("a"),
            &record("b")[..9]
        ));
        let log = Follower::open(&path).unwrap();
        assert_eq!(log.record("a").unwrap(), Some(record("a")));
        assert_eq!(log.record("a").unwrap(), None);
        assert_eq!(log.record("b").unwrap(), None);
        write(&record("b")[9..]);
        write("\njobgate: the keys could not be fetched: no answer (tls)\n");
        assert_eq!(log.record("b").unwrap(), Some(record("b")));
        assert_eq!(log.fetch_failures().unwrap().len(), 1);

        std::fs::write(&path, format!("{}\n", record("c"))).unwrap();
        assert_eq!(log.record("c").unwrap(), Some(record("c")));
    }
}
