//! The credentials that were issued.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;

/// What a credential is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For the service itself.
    Access,
    /// For another credential only.
    Federated,
}

/// All credentials; copies share them.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<String, Issued>>>);

#[derive(Debug)]
struct Issued {
    kind: Kind,
    holder: String,
    ends: Instant,
}

impl Ledger {
    /// A new credential.
    pub(super) fn issue(&self, kind: Kind, prefix: &str, holder: &str, life: Duration) -> String {
        let mut bytes = [0; 40];
        rand::thread_rng().fill_bytes(&mut bytes);
        let credential = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
        let issued = Issued {
            kind,
            holder: holder.to_owned(),
            ends: Instant::now() + life,
        };
        self.lock().insert(credential.clone(), issued);
        credential
    }

    /// Whose a credential is, if it was issued for this and did not end yet.
    pub fn holder(&self, kind: Kind, credential: &str) -> Option<String> {
        let issued = self.lock();
        let issued = issued.get(credential)?;
        (issued.kind == kind && Instant::now() < issued.ends).then(|| issued.holder.clone())
    }

    /// Every credential that was ever issued.
    pub fn all(&self) -> Vec<(String, Kind)> {
        let issued = self.lock();
        let all = issued
            .iter()
            .map(|(text, issued)| (text.clone(), issued.kind));
        all.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Issued>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
