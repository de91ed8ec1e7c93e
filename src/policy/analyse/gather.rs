//! Findings as they are gathered: all of them, or of very many those that come first.

use super::{Finding, Severity};
use std::collections::{BTreeMap, HashSet};
use std::fmt::{Display, Write};
use std::hash::{BuildHasher, RandomState};

/// Findings, at one place each kind once: that of the first rule by id.
pub(super) struct Gathered {
    /// The most of each severity that are kept.
    most: usize,
    /// The hashes of places with kinds.
    seen: HashSet<u64>,
    hasher: RandomState,
    warnings: Sorted,
    notes: Sorted,
    path: String,
}

/// By the path, in which numbers sort as numbers do, and the kind.
type Sorted = BTreeMap<(String, &'static str), Finding>;

impl Gathered {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            warnings: Sorted::new(),
            notes: Sorted::new(),
            path: String::new(),
        }
    }

    /// What is put into words only if the finding is kept.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        path: &dyn Display,
        message: &dyn Display,
        fix: &dyn Display,
    ) {
        self.path.clear();
        // Writing to a String cannot fail.
        _ = write!(self.path, "{path}");
        if !self.seen.insert(self.hasher.hash_one((&self.path, code))) {
            return;
        }
        let kept = match severity {
            Severity::Note => &mut self.notes,
            Severity::Warning | Severity::Error => &mut self.warnings,
        };
        // Names that differ in zeros only are told apart too.
        let key = (
            format!("{}\0{}", numbers_padded(&self.path), self.path),
            code,
        );
        if kept.len() >= self.most {
            match kept.last_entry() {
                Some(last) if key < *last.key() => _ = last.remove(),
                _ => return,
            }
        }
        let finding = Finding {
            severity,
            code,
            path: self.path.clone(),
            message: message.to_string(),
            fix: fix.to_string(),
        };
        kept.insert(key, finding);
    }

    /// How many there are, and those that were kept, by path.
    pub(super) fn finish(self) -> (usize, Vec<Finding>) {
        let mut kept = self.warnings;
        for (key, finding) in self.notes {
            kept.insert(key, finding);
        }
        (self.seen.len(), kept.into_values().collect())
    }
}

/// A path in which numbers sort as numbers do.
fn numbers_padded(path: &str) -> String {
    let mut padded = String::with_capacity(path.len().saturating_add(16));
    let mut rest = path;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, digits) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let end = digits.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = digits.split_at_checked(end).unwrap_or((digits, ""));
        padded.push_str(before);
        if !after.is_empty() {
            for _ in digits.len()..8 {
                padded.push('0');
            }
        }
        padded.push_str(digits);
        rest = after;
    }
    padded.push_str(rest);
    padded
}
