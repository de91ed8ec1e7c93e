//! The SHA-2 functions that signatures are made over (FIPS 180-4).

use crate::token::Algorithm;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// What a hash function made.
pub(super) struct Digest {
    bytes: [u8; 64],
    length: usize,
}

impl Digest {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Hash {
    /// The function whose output an algorithm signs; none for EdDSA, which hashes in its own way.
    pub(super) const fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => Some(Self::Sha256),
            Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => Some(Self::Sha384),
            Algorithm::Rs512 | Algorithm::Ps512 => Some(Self::Sha512),
            Algorithm::EdDsa => None,
        }
    }

    /// How many bytes it makes.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The hash of these parts, one after the other.
    pub(super) fn hash(self, parts: &[&[u8]]) -> Digest {
        let mut bytes = [0; 64];
        let length = self.length();
        let made = bytes.iter_mut();
        match self {
            Self::Sha256 => {
                let mut hash = Sha256::new();
                parts.iter().for_each(|part| hash.update(part));
                made.zip(hash.finalize()).for_each(|(to, from)| *to = from);
            }
            Self::Sha384 => {
                let mut hash = Sha384::new();
                parts.iter().for_each(|part| hash.update(part));
                made.zip(hash.finalize()).for_each(|(to, from)| *to = from);
            }
            Self::Sha512 => {
                let mut hash = Sha512::new();
                parts.iter().for_each(|part| hash.update(part));
                made.zip(hash.finalize()).for_each(|(to, from)| *to = from);
            }
        }
        Digest { bytes, length }
    }
}
