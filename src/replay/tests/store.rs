//! A host's shared data, in memory, with each host's manners and a host's ways to fail.

use crate::shared_data::{Failed, SetError, SharedData};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// How hosts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    /// Writing without a number overwrites; with one, and no value there, it creates.
    Envoy,
    /// Writing without a number only creates; with one, and no value there, it is a conflict.
    Kong,
}

impl Manners {
    pub(super) const ALL: [Self; 2] = [Self::Envoy, Self::Kong];
}

#[derive(Debug)]
pub(super) struct Store {
    manners: Manners,
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    last_cas: Cell<u32>,
    fail_sets: Cell<bool>,
    fail_gets: Cell<bool>,
    conflict: Cell<bool>,
}

impl Store {
    pub(super) fn new(manners: Manners) -> Self {
        Self {
            manners,
            values: RefCell::default(),
            last_cas: Cell::new(0),
            fail_sets: Cell::new(false),
            fail_gets: Cell::new(false),
            conflict: Cell::new(false),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.borrow().len()
    }

    pub(super) fn fail_sets(&self, fail: bool) {
        self.fail_sets.set(fail);
    }

    pub(super) fn fail_gets(&self, fail: bool) {
        self.fail_gets.set(fail);
    }

    pub(super) fn conflict_always(&self, conflict: bool) {
        self.conflict.set(conflict);
    }

    /// What somebody else writes.
    pub(super) fn put(&self, key: &str, value: &[u8]) {
        let cas = self.last_cas.get() + 1;
        self.last_cas.set(cas);
        self.values
            .borrow_mut()
            .insert(key.to_owned(), (value.to_vec(), cas));
    }

    /// Drops a value, as a full store does.
    pub(super) fn evict(&self, key: &str) {
        self.values.borrow_mut().remove(key);
    }
}

impl SharedData for Store {
    fn get(&self, key: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed> {
        if self.fail_gets.get() {
            return Err(Failed("InternalFailure".into()));
        }
        Ok(match self.values.borrow().get(key) {
            Some((value, cas)) => (Some(value.clone()), Some(*cas)),
            None => (None, None),
        })
    }

    fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError> {
        if self.fail_sets.get() {
            return Err(SetError::Failed(Failed("InternalFailure".into())));
        }
        let current = self.values.borrow().get(key).map(|(_, cas)| *cas);
        let conflict = match (self.manners, current, cas) {
            (_, Some(current), Some(cas)) => current != cas,
            (Manners::Envoy, ..) | (Manners::Kong, None, None) => false,
            (Manners::Kong, ..) => true,
        };
        if conflict || self.conflict.get() {
            return Err(SetError::Conflict);
        }
        self.put(key, value);
        Ok(())
    }
}
