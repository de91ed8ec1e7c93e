//! RSA signatures (RFC 8017, sections 8.1.2 and 8.2.2), of all sizes in one way.

use crate::token::Algorithm;
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pkcs1v15Sign, Pss, RsaPublicKey};

/// The smallest modulus, in bits (RFC 7518, section 3.3).
const MIN_BITS: usize = 2048;
/// The largest, in bits: a verification's cost grows with the square of it.
const MAX_BITS: usize = 8192;

/// An RSA public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keys) struct RsaKey {
    key: RsaPublicKey,
    /// The modulus without leading zeros: as long as each of the key's signatures.
    modulus: Vec<u8>,
}

impl RsaKey {
    /// A key from its big-endian modulus and exponent.
    ///
    /// Leading zeros are not looked at: RFC 7518, section 6.3.1, forbids them, publishers' libraries
    /// write them all the same, and no check depends on them.
    pub(in crate::keys) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, &'static str> {
        let n = BigUint::from_bytes_be(modulus);
        let e = BigUint::from_bytes_be(exponent);
        if !(MIN_BITS..=MAX_BITS).contains(&n.bits()) {
            return Err("its modulus does not have 2048 to 8192 bits");
        }
        if e < BigUint::from(3_u8) {
            return Err("its exponent is less than 3");
        }
        // Refuses an even modulus, an even exponent, and one past 33 bits, which no library writes and
        // which would make each verification dear.
        let key = RsaPublicKey::new_with_max_size(n, e, MAX_BITS).map_err(
            |_| "its modulus or exponent is even, or its exponent has more than 33 bits",
        )?;
        let modulus = key.n().to_bytes_be();
        Ok(Self { key, modulus })
    }

    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        // As long as the modulus and, read as a number, below it (RFC 8017, section 5.2.2): otherwise
        // each signature would have further forms. Bytes of one length compare as the numbers do.
        if signature.len() != self.modulus.len() || signature >= self.modulus.as_slice() {
            return false;
        }
        match algorithm {
            Algorithm::Rs256 => self.pkcs1(
                Pkcs1v15Sign::new::<Sha256>(),
                &Sha256::digest(message),
                signature,
            ),
            Algorithm::Rs384 => self.pkcs1(
                Pkcs1v15Sign::new::<Sha384>(),
                &Sha384::digest(message),
                signature,
            ),
            Algorithm::Rs512 => self.pkcs1(
                Pkcs1v15Sign::new::<Sha512>(),
                &Sha512::digest(message),
                signature,
            ),
            // The salt is as long as the hash (RFC 7518, section 3.5), and no other length is accepted.
            Algorithm::Ps256 => self.pss(Pss::new::<Sha256>(), &Sha256::digest(message), signature),
            Algorithm::Ps384 => self.pss(Pss::new::<Sha384>(), &Sha384::digest(message), signature),
            Algorithm::Ps512 => self.pss(Pss::new::<Sha512>(), &Sha512::digest(message), signature),
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => false,
        }
    }

    fn pkcs1(&self, scheme: Pkcs1v15Sign, hash: &[u8], signature: &[u8]) -> bool {
        self.key.verify(scheme, hash, signature).is_ok()
    }

    fn pss(&self, scheme: Pss, hash: &[u8], signature: &[u8]) -> bool {
        self.key.verify(scheme, hash, signature).is_ok()
    }
}
