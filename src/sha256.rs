//! SHA-256 of bytes that are at hand, whole or part by part.

use sha2::{Digest, Sha256};

/// The hash of what was fed to it so far.
#[derive(Debug, Clone)]
pub(crate) struct Hash(Sha256);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    pub(crate) fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The hash of these bytes.
    pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }
}
