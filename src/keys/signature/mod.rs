//! Signatures: a public key of some type, and whether bytes are its signature over a message.
//!
//! What enters is the message and the signature's raw bytes as a JWS has them (RFC 7515, section 5.2);
//! what leaves is yes or no. Nothing here knows of tokens. This is the one place where cryptography is
//! called: our own for RSA, crates for the rest, and whoever is behind [`SignatureVerifier`].

pub(super) mod der;
mod digest;
mod ecdsa;
mod ed25519;
mod multiples;
mod rsa;
mod verifier;

use crate::token::Algorithm;

pub(super) use ecdsa::{P256Key, P384Key};
pub(super) use ed25519::Ed25519Key;
pub(super) use rsa::RsaKey;
pub use verifier::{BuiltIn, Question, SignatureVerifier};

/// The order of P-256's group (FIPS 186-4, appendix D.1.2.3).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of P-384's (appendix D.1.2.4).
const P384_ORDER: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];

/// A public key of a type that can verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VerifyingKey {
    Rsa(RsaKey),
    P256(P256Key),
    P384(P384Key),
    Ed25519(Ed25519Key),
}

impl VerifyingKey {
    /// Whether a key of this type can verify this algorithm.
    pub(super) const fn can(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa(_) => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Self::P256(_) => matches!(algorithm, Es256),
            Self::P384(_) => matches!(algorithm, Es384),
            Self::Ed25519(_) => matches!(algorithm, EdDsa),
        }
    }

    /// Whether this is a signature over the message. Never for an algorithm that the key's type cannot do.
    ///
    /// `verifier` is asked first where the key has an `info`, its SubjectPublicKeyInfo, and the algorithm is one that
    /// this tells.
    pub(super) fn verifies(
        &self,
        verifier: &dyn SignatureVerifier,
        info: Option<&[u8]>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        use Algorithm::{Es256, Es384, Rs256, Rs384, Rs512};
        if !self.can(algorithm) || !self.may_have_made(signature) {
            return false;
        }
        let is_told = matches!(algorithm, Rs256 | Rs384 | Rs512 | Es256 | Es384);
        info.filter(|_| is_told)
            .and_then(|key| {
                verifier.verify(&Question {
                    algorithm,
                    key,
                    message,
                    signature,
                })
            })
            .unwrap_or_else(|| match self {
                Self::Rsa(key) => key.verifies(algorithm, message, signature),
                Self::P256(key) => key.verifies(message, signature),
                Self::P384(key) => key.verifies(message, signature),
                Self::Ed25519(key) => key.verifies(message, signature),
            })
    }

    /// Whether bytes have the form of a signature by this key: what can be told without computing.
    fn may_have_made(&self, signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => key.may_have_made(signature),
            Self::P256(_) => is_pair_below(&P256_ORDER, signature),
            Self::P384(_) => is_pair_below(&P384_ORDER, signature),
            Self::Ed25519(_) => signature.len() == 64,
        }
    }
}

/// Whether these are two numbers of the order's length, from 1 to below it.
fn is_pair_below(order: &[u8], signature: &[u8]) -> bool {
    let fits = |number: &[u8]| number < order && number.iter().any(|&byte| byte != 0);
    signature
        .split_at_checked(order.len())
        .is_some_and(|(r, s)| s.len() == order.len() && fits(r) && fits(s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Says always the same, and counts how often.
    #[derive(Debug)]
    struct Parrot(Option<bool>, Cell<usize>);

    impl SignatureVerifier for Parrot {
        fn verify(&self, _: &Question<'_>) -> Option<bool> {
            self.1.set(self.1.get() + 1);
            self.0
        }
    }

    fn rsa() -> VerifyingKey {
        let modulus = [&[0xff; 255][..], &[0xfd]].concat();
        VerifyingKey::Rsa(RsaKey::new(&modulus, &[1, 0, 1]).unwrap())
    }

    fn ask(says: Option<bool>, algorithm: Algorithm, signature: &[u8]) -> (bool, usize) {
        let parrot = Parrot(says, Cell::new(0));
        let verdict = rsa().verifies(&parrot, Some(b"info"), algorithm, b"message", signature);
        (verdict, parrot.1.get())
    }

    #[test]
    fn another_verifier_is_believed_if_it_can_tell() {
        let signature = [7; 256];
        assert_eq!(ask(Some(true), Algorithm::Rs256, &signature), (true, 1));
        assert_eq!(ask(Some(false), Algorithm::Rs256, &signature), (false, 1));
        // It is no signature; a good one is what test-harness/tests/signatures.rs has.
        assert_eq!(ask(None, Algorithm::Rs256, &signature), (false, 1));
    }

    #[test]
    fn another_verifier_is_not_asked_what_is_known_or_what_it_would_misunderstand() {
        for (algorithm, signature) in [
            (Algorithm::Rs256, &[7; 255][..]),
            (Algorithm::Rs256, &[7; 257]),
            (Algorithm::Rs256, &[0xff; 256]),
            (Algorithm::Rs256, b""),
            (Algorithm::Es256, &[7; 256]),
            (Algorithm::Es256, &[7; 64]),
            // Its key's form says PKCS #1 v1.5.
            (Algorithm::Ps256, &[7; 256]),
            (Algorithm::Ps384, &[7; 256]),
            (Algorithm::Ps512, &[7; 256]),
        ] {
            assert_eq!(ask(Some(true), algorithm, signature), (false, 0));
        }
        let parrot = Parrot(Some(true), Cell::new(0));
        let key = rsa();
        let without = key.verifies(&parrot, None, Algorithm::Rs256, b"message", &[7; 256]);
        assert!(!without && parrot.1.get() == 0);
    }

    #[test]
    fn a_pair_is_from_1_to_below_the_order() {
        let below = |order: &[u8]| {
            let mut below = order.to_vec();
            *below.last_mut().unwrap() -= 1;
            below
        };
        for order in [&P256_ORDER[..], &P384_ORDER] {
            let (zero, most) = (vec![0; order.len()], below(order));
            for (r, s, fits) in [
                (&most[..], &most[..], true),
                (order, &most, false),
                (&most, order, false),
                (&zero, &most, false),
                (&most, &zero, false),
                (&most, &most[1..], false),
                (&most[1..], &most, false),
            ] {
                assert_eq!(is_pair_below(order, &[r, s].concat()), fits);
            }
            assert!(!is_pair_below(order, &[&most[..], &most, &[0]].concat()));
        }
    }
}
