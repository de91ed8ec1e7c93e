//! The credentials that may serve again, by the token and the target that they were got for.

use super::Credential;
use crate::time::UnixTime;
use crate::token::Digest;
use lru::LruCache;
use std::rc::Rc;

/// The most credentials of a route.
const MOST: usize = 512;

/// The most bytes of their secrets.
const MOST_BYTES: usize = 1024 * 1024;

/// Whose a credential is, and for what: the whole token's digest, and the target's place in the policy.
pub type Key = (Digest, usize);

/// Credentials that were got. Of too many those go that served longest ago.
#[derive(Debug)]
pub struct Kept {
    credentials: LruCache<Key, Rc<Credential>>,
    bytes: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            // Room is made as it is needed.
            credentials: LruCache::unbounded(),
            bytes: 0,
        }
    }
}

impl Kept {
    /// The credential for this, if it serves.
    pub fn find(&mut self, key: &Key, now: UnixTime) -> Option<Rc<Credential>> {
        let found = self.credentials.get(key)?;
        if found.serves(now) {
            return Some(Rc::clone(found));
        }
        self.remove(key);
        None
    }

    /// Keeps one, if it serves.
    pub fn keep(&mut self, key: Key, credential: &Rc<Credential>, now: UnixTime) {
        self.remove(&key);
        if !credential.serves(now) {
            return;
        }
        self.bytes = self.bytes.saturating_add(credential.bytes());
        self.credentials.put(key, Rc::clone(credential));
        while self.credentials.len() > MOST || self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.credentials.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// Forgets the one for this, if there is one.
    pub fn forget(&mut self, key: &Key) {
        self.remove(key);
    }

    /// Forgets those that serve no more.
    pub fn forget_ended(&mut self, now: UnixTime) {
        let ended: Vec<Key> = self
            .credentials
            .iter()
            .filter(|(_, credential)| !credential.serves(now))
            .map(|(key, _)| *key)
            .collect();
        for key in ended {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(gone) = self.credentials.pop(key) {
            self.bytes = self.bytes.saturating_sub(gone.bytes());
        }
    }
}
