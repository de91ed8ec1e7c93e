use super::montgomery::Modulus;
use super::{MAX_BITS, MIN_BITS, RsaKey};
use num_bigint_dig::BigUint;
use proptest::prelude::*;

/// The exponents that keys may have, as far as they differ in what they do here.
const EXPONENTS: [u64; 6] = [5, 17, 65537, 0xffff_ffff, (1 << 32) + 1, (1 << 33) - 1];

fn modulus(of: &BigUint) -> Modulus {
    Modulus::new(&of.to_bytes_be(), of.bits())
}

fn check(base: &BigUint, exponent: u64, of: &BigUint, modulus: &Modulus) {
    let length = of.bits().div_ceil(8);
    let found = modulus.power(&base.to_bytes_be(), exponent, length);
    assert_eq!(found.len(), length);
    let found = BigUint::from_bytes_be(&found);
    let expected = base.modpow(&BigUint::from(exponent), of);
    assert!(
        found == expected,
        "{base:x} to the power of {exponent} modulo {of:x}: {found:x}, not {expected:x}"
    );
}

fn one() -> BigUint {
    BigUint::from(1_u8)
}

#[test]
fn powers_are_right_at_the_edges() {
    // Where R is just large enough, and where it is not any more.
    for bits in [2048, 2050, 2051, 4103, 8192] {
        let top = one() << (bits - 1);
        let all = (one() << bits) - one();
        let every_other_limb = (0..bits / 54).fold(BigUint::from(0_u8), |sum, place| {
            sum + (BigUint::from((1_u32 << 27) - 1) << (place * 54))
        });
        let moduli = [
            &top + one(),
            &all - (one() << 28),
            (&top + every_other_limb) | one(),
            all,
        ];
        for of in moduli {
            assert_eq!(of.bits(), bits);
            let modulus = modulus(&of);
            let bases = [
                BigUint::from(0_u8),
                one(),
                &of >> 1,
                &of - BigUint::from(2_u8),
                &of - one(),
            ];
            for base in bases {
                check(&base, 3, &of, &modulus);
            }
            if bits == 2048 {
                for exponent in EXPONENTS {
                    check(&(&of - BigUint::from(3_u8)), exponent, &of, &modulus);
                }
            }
        }
    }
}

/// A number of this many bits made of runs of ones and zeros, or of random bytes.
fn number(bits: usize) -> impl Strategy<Value = BigUint> {
    let runs = prop::collection::vec((any::<bool>(), 1..200_usize), 1..80).prop_map(move |runs| {
        let ones = |length| (one() << length) - one();
        let made = runs
            .into_iter()
            .fold(BigUint::from(0_u8), |number, (is_one, length)| {
                (number << length)
                    + if is_one {
                        ones(length)
                    } else {
                        BigUint::from(0_u8)
                    }
            });
        made % (one() << bits)
    });
    let random = prop::collection::vec(any::<u8>(), bits.div_ceil(8))
        .prop_map(move |bytes| BigUint::from_bytes_be(&bytes) % (one() << bits));
    prop_oneof![runs, random]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// `PROPTEST_CASES` asks for more.
    #[test]
    fn powers_are_those_of_a_library(
        (of, base) in (MIN_BITS..=MAX_BITS)
            .prop_flat_map(|bits| (number(bits), number(bits), Just(bits)))
            .prop_map(|(of, base, bits)| {
                let of = (of | one()) | (one() << (bits - 1));
                (of.clone(), base % of)
            }),
        exponent in prop_oneof![4 => Just(3), 2 => Just(65537), 1 => (1..(1_u64 << 32)).prop_map(|half| half * 2 + 1)],
    ) {
        check(&base, exponent, &of, &modulus(&of));
    }
}

#[test]
fn keys_are_the_same_whatever_stands_before_them() {
    let modulus = [&[0xff; 255][..], &[0xfd]].concat();
    let key = RsaKey::new(&modulus, &[1, 0, 1]).unwrap();
    let padded = RsaKey::new(&[&[0, 0], &modulus[..]].concat(), &[0, 1, 0, 1]).unwrap();
    assert_eq!(key, padded);
    assert_ne!(key, RsaKey::new(&modulus, &[3]).unwrap());
}
