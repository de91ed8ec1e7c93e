//! The lines of a log, and the records in them.

use super::Record;
use crate::failure::Failure;
use crate::source::STDIN;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// The longest line that is looked at. Records are below 4096 bytes, and gateways put little around them.
const MOST_BYTES: usize = 64 * 1024;

/// How each record begins. Within a record's own values it can't stand: there quotes are escaped.
const BEGINNING: &str = r#"{"event":"jobgate.decision""#;

/// The longest text that a gateway puts before a record.
const MOST_BEFORE: usize = 512;

/// What was found in the lines of a log.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Lines {
    /// Lines with a record.
    pub(crate) records: usize,
    /// Lines without one.
    pub(crate) others: usize,
    /// Lines in which a record begins that can't be read: cut off, too long, or not where gateways write it.
    pub(crate) broken: usize,
}

/// Hands every record of a log to `take`, in the order of the log. `-` is standard input.
///
/// A line takes a bounded amount of memory, whatever is in it.
///
/// # Errors
/// The log can't be read.
pub(crate) fn each(path: &Path, take: impl FnMut(Record)) -> Result<Lines, Failure> {
    let is_stdin = path.as_os_str() == STDIN;
    let read = if is_stdin {
        each_of(io::stdin().lock(), take)
    } else {
        File::open(path).and_then(|file| each_of(BufReader::new(file), take))
    };
    read.map_err(|error| {
        let name = if is_stdin {
            "<stdin>".into()
        } else {
            path.display().to_string()
        };
        Failure::new(format!("{name}: {error}"))
    })
}

pub(super) fn each_of(mut log: impl BufRead, mut take: impl FnMut(Record)) -> io::Result<Lines> {
    let mut lines = Lines::default();
    let mut line = Vec::new();
    while next(&mut log, &mut line)? {
        match find(&line) {
            Found::Record(record) => {
                lines.records += 1;
                take(*record);
            }
            Found::Nothing => lines.others += 1,
            Found::Broken => lines.broken += 1,
        }
    }
    Ok(lines)
}

/// Reads a line, of what is longer than [`MOST_BYTES`] only the beginning. False at the end.
fn next(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut has_read = false;
    loop {
        let buffer = match log.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(has_read);
        }
        has_read = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = MOST_BYTES - line.len();
        line.extend_from_slice(&part[..part.len().min(room)]);
        let taken = end.map_or(buffer.len(), |end| end + 1);
        log.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

enum Found {
    Record(Box<Record>),
    Nothing,
    Broken,
}

fn find(line: &[u8]) -> Found {
    let begins = |at: &usize| line[*at..].starts_with(BEGINNING.as_bytes());
    let Some(start) = (0..line.len()).find(begins) else {
        return Found::Nothing;
    };
    if !is_before_record(&line[..start]) {
        return Found::Broken;
    }
    // What the gateway writes behind it is not looked at.
    let mut json = serde_json::Deserializer::from_slice(&line[start..]);
    match Record::deserialize(&mut json) {
        Ok(record) => Found::Record(Box::new(record)),
        Err(_) => Found::Broken,
    }
}

/// Whether this is what gateways write before a message of the filter. A client's words in another message,
/// such as its request line, are not to pass for a record.
fn is_before_record(before: &[u8]) -> bool {
    let Ok(before) = str::from_utf8(before) else {
        return false;
    };
    if before.trim().is_empty() {
        return true;
    }
    if before.len() > MOST_BEFORE {
        return false;
    }
    let is_nginx = || {
        // `2026/11/21 12:00:00 [info] 7#0: *3 [proxy-wasm]["jobgate" #7] `
        let (_, filter) = before.split_once(r#"[proxy-wasm][""#)?;
        let (name, number) = filter.split_once(r#"" #"#)?;
        let number = number.strip_suffix("] ")?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        Some(is_number && !name.contains('"') && before.matches('"').count() == 2)
    };
    // `[2026-11-21 12:00:00.000][7][info][wasm] [source/...] wasm log jobgate: `
    let is_envoy =
        before.contains("] wasm log ") && before.ends_with(": ") && !before.contains('"');
    is_envoy || is_nginx().unwrap_or(false)
}
