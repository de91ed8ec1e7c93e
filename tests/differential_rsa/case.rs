//! The cases: encodings good and wrong, signed once; then signatures and messages bent, for each case anew.

use crate::keys::Key;
use jobgate::token::Algorithm;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::{BigUint, Pkcs1v15Sign, Pss};

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scheme(pub(crate) Algorithm);

impl Scheme {
    pub(crate) const ALL: [Self; 6] = [
        Self(Algorithm::Rs256),
        Self(Algorithm::Rs384),
        Self(Algorithm::Rs512),
        Self(Algorithm::Ps256),
        Self(Algorithm::Ps384),
        Self(Algorithm::Ps512),
    ];

    pub(crate) fn is_pss(self) -> bool {
        self.0.name().starts_with('P')
    }

    pub(crate) fn hash_bytes(self) -> u8 {
        match &self.0.name()[2..] {
            "256" => 32,
            "384" => 48,
            _ => 64,
        }
    }

    fn hash(self, parts: &[&[u8]]) -> Vec<u8> {
        fn of<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut hash = D::new();
            parts.iter().for_each(|part| hash.update(part));
            hash.finalize().to_vec()
        }
        match self.hash_bytes() {
            32 => of::<Sha256>(parts),
            48 => of::<Sha384>(parts),
            _ => of::<Sha512>(parts),
        }
    }

    /// What the rsa crate says.
    pub(crate) fn theirs(self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        let hash = self.hash(&[message]);
        let verify = |scheme| key.theirs.verify(scheme, &hash, signature).is_ok();
        let verify_pss = |scheme: Pss| key.theirs.verify(scheme, &hash, signature).is_ok();
        match (self.is_pss(), hash.len()) {
            (false, 32) => verify(Pkcs1v15Sign::new::<Sha256>()),
            (false, 48) => verify(Pkcs1v15Sign::new::<Sha384>()),
            (false, _) => verify(Pkcs1v15Sign::new::<Sha512>()),
            (true, 32) => verify_pss(Pss::new::<Sha256>()),
            (true, 48) => verify_pss(Pss::new::<Sha384>()),
            (true, _) => verify_pss(Pss::new::<Sha512>()),
        }
    }
}

/// A signature of one encoding.
pub(crate) struct Signed {
    key: usize,
    scheme: Scheme,
    message: Vec<u8>,
    signature: Vec<u8>,
    kind: &'static str,
}

/// A case.
pub(crate) struct Case {
    pub(crate) key: usize,
    pub(crate) scheme: Scheme,
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// What was encoded, and what was bent then.
    pub(crate) kind: (&'static str, &'static str),
}

/// Every encoding of every scheme by every key, this many times.
pub(crate) fn pool(keys: &[Key], times: usize, rng: &mut StdRng) -> Vec<Signed> {
    let mut pool = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        for _ in 0..if key.is_cheap() { times } else { 1 } {
            for scheme in Scheme::ALL {
                let message: Vec<u8> = (0..rng.gen_range(0..300)).map(|_| rng.r#gen()).collect();
                let encodings = match scheme.is_pss() {
                    false => pkcs1(scheme, &message, key.size()),
                    true => pss(scheme, &message, key, rng),
                };
                for (kind, encoded) in encodings {
                    let below =
                        BigUint::from_bytes_be(&encoded) < BigUint::from_bytes_be(&key.modulus());
                    if below {
                        let signature = key.sign(&encoded);
                        pool.push(Signed {
                            key: place,
                            scheme,
                            message: message.clone(),
                            signature,
                            kind,
                        });
                    }
                }
            }
        }
    }
    pool
}

fn pkcs1(scheme: Scheme, message: &[u8], size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let hash = scheme.hash(&[message]);
    let name = |length| match length {
        32_u8 => 1,
        48 => 2,
        _ => 3,
    };
    let length = scheme.hash_bytes();
    let info = |all, inner, name, null: &[u8]| {
        [
            &[
                0x30,
                all + length,
                0x30,
                inner,
                6,
                9,
                0x60,
                0x86,
                0x48,
                1,
                0x65,
                3,
                4,
                2,
                name,
            ][..],
            null,
            &[4, length],
        ]
        .concat()
    };
    let good = info(17, 13, name(length), &[5, 0]);
    let fill = |start: &[u8], filler: u8, end: &[u8]| {
        let filling = size - start.len() - end.len();
        [start, &vec![filler; filling], end].concat()
    };
    let tail = |info: &[u8]| [&[0], info, &hash].concat();
    let whole = fill(&[0, 1], 0xff, &tail(&good));
    let changed = |place: usize, byte| {
        let mut changed = whole.clone();
        changed[place] = byte;
        changed
    };
    let other = if length == 32 { 48 } else { 32 };
    let long = [&[0x30, 0x81][..], &good[1..]].concat();
    vec![
        ("good", whole.clone()),
        ("block type 0", changed(1, 0)),
        ("block type 2", changed(1, 2)),
        ("padding of zeros", fill(&[0, 0], 0, &tail(&good))),
        ("a zero in the padding", changed(20, 0)),
        ("a zero at the padding's beginning", changed(2, 0)),
        ("another byte in the padding", changed(70, 0xfe)),
        (
            "no zero behind the padding",
            fill(&[0, 1], 0xff, &tail(&good)[1..]),
        ),
        (
            "no NULL",
            fill(&[0, 1], 0xff, &tail(&info(15, 11, name(length), &[]))),
        ),
        (
            "more than NULL",
            fill(
                &[0, 1],
                0xff,
                &tail(&info(18, 14, name(length), &[5, 1, 0])),
            ),
        ),
        (
            "a length in the long form",
            fill(&[0, 1], 0xff, &tail(&long)),
        ),
        (
            "another hash's name",
            fill(&[0, 1], 0xff, &tail(&info(17, 13, name(other), &[5, 0]))),
        ),
        ("no name", fill(&[0, 1], 0xff, &tail(&[]))),
        (
            "short padding, garbage behind",
            fill(&[&[0, 1], &[0xff; 8][..], &tail(&good)].concat(), 0x41, &[]),
        ),
        (
            "garbage before the name",
            fill(
                &[&[0, 1], &[0xff; 8][..], &[0]].concat(),
                0x41,
                &tail(&good)[1..],
            ),
        ),
        (
            "a byte behind",
            fill(&[0, 1], 0xff, &[tail(&good), vec![0]].concat()),
        ),
        ("the hash alone", fill(&[0], 0, &hash)),
        (
            "another message's hash",
            fill(
                &[0, 1],
                0xff,
                &[&[0], &good[..], &scheme.hash(&[message, b"."])].concat(),
            ),
        ),
    ]
}

fn pss(
    scheme: Scheme,
    message: &[u8],
    key: &Key,
    rng: &mut StdRng,
) -> Vec<(&'static str, Vec<u8>)> {
    let length = usize::from(scheme.hash_bytes());
    let bits = BigUint::from_bytes_be(&key.modulus()).bits() - 1;
    let size = bits.div_ceil(8);
    let mut make = |salt: usize, bend: &dyn Fn(&mut Vec<u8>), bend_all: &dyn Fn(&mut Vec<u8>)| {
        let salt: Vec<u8> = (0..salt).map(|_| rng.r#gen()).collect();
        let proof = scheme.hash(&[&[0; 8], &scheme.hash(&[message]), &salt]);
        let zeros = vec![0; size - length - 2 - salt.len()];
        let mut block = [&zeros[..], &[1], &salt].concat();
        bend(&mut block);
        let mut mask = Vec::new();
        for counter in 0_u32.. {
            if mask.len() >= block.len() {
                break;
            }
            mask.extend(scheme.hash(&[&proof, &counter.to_be_bytes()]));
        }
        let mut encoded: Vec<u8> = block
            .iter()
            .zip(mask)
            .map(|(block, mask)| block ^ mask)
            .collect();
        encoded[0] &= 0xff >> (size * 8 - bits);
        encoded.extend(proof);
        encoded.push(0xbc);
        bend_all(&mut encoded);
        encoded
    };
    let nothing = |_: &mut Vec<u8>| {};
    let mut encodings = vec![("good", make(length, &nothing, &nothing))];
    for salt in [0, 1, 20, length - 1, length + 1, size - length - 2] {
        encodings.push(("a salt of another length", make(salt, &nothing, &nothing)));
    }
    let separator = size - 2 * length - 2;
    encodings.push((
        "no one before the salt",
        make(length, &|block| block[separator] = 2, &nothing),
    ));
    encodings.push((
        "a one too early",
        make(length, &|block| block[separator - 1] = 1, &nothing),
    ));
    encodings.push((
        "padding that is not zero",
        make(length, &|block| block[separator / 2] = 0x80, &nothing),
    ));
    encodings.push((
        "an early byte that is not zero",
        make(length, &|block| block[1] = 1, &nothing),
    ));
    encodings.push((
        "another trailer",
        make(length, &nothing, &|all| *all.last_mut().unwrap() = 0xcc),
    ));
    let unused = size * 8 - bits;
    if unused > 0 {
        // The highest bit that must be zero, where the number stays below the modulus.
        encodings.push((
            "an unused bit",
            make(length, &nothing, &|all| all[0] |= 0x80 >> (unused - 1)),
        ));
    } else {
        encodings.push((
            "a number that is a byte longer",
            make(length, &nothing, &|all| all.insert(0, 1)),
        ));
    }
    encodings.push((
        "another proof",
        make(length, &nothing, &|all| all[size - 5] ^= 4),
    ));
    encodings
}

/// A case from the pool.
pub(crate) fn case(keys: &[Key], pool: &[Signed], rng: &mut StdRng) -> Case {
    let signed = loop {
        let signed = pool.choose(rng).expect("there are signatures");
        // Most encodings are wrong: of the good ones more.
        if signed.kind == "good" || rng.gen_bool(0.15) {
            break signed;
        }
    };
    let mut case = Case {
        key: signed.key,
        scheme: signed.scheme,
        message: signed.message.clone(),
        signature: signed.signature.clone(),
        kind: (signed.kind, "as it is"),
    };
    let size = case.signature.len();
    let as_number = |case: &Case| BigUint::from_bytes_be(&case.signature);
    let modulus = || BigUint::from_bytes_be(&keys[signed.key].modulus());
    let padded = |number: &BigUint| keys[signed.key].padded(number);
    case.kind.1 = match rng.gen_range(0..24) {
        0..8 => "as it is",
        8..12 => {
            case.signature[rng.gen_range(0..size)] ^= 1 << rng.gen_range(0..8);
            "a bit of the signature"
        }
        12..14 if !case.message.is_empty() => {
            let place = rng.gen_range(0..case.message.len());
            case.message[place] ^= 1 << rng.gen_range(0..8);
            "a bit of the message"
        }
        14 => {
            case.message.push(rng.r#gen());
            "a longer message"
        }
        15 => {
            case.signature.pop();
            "without the last byte"
        }
        16 => {
            case.signature.remove(0);
            "without the first byte"
        }
        17 => {
            case.signature.insert(0, 0);
            "a zero before it"
        }
        18 => {
            case.signature.push(0);
            "a zero behind it"
        }
        19 => {
            case.signature = padded(&(as_number(&case) + modulus()));
            "the modulus added"
        }
        20 => {
            case.signature = padded(&(modulus() - as_number(&case)));
            "its negative"
        }
        21 => {
            case.scheme = *Scheme::ALL.choose(rng).expect("there are some");
            "another algorithm"
        }
        22 => {
            case.key = rng.gen_range(0..keys.len());
            "another key"
        }
        _ => match rng.gen_range(0..5) {
            0 => {
                case.signature = vec![0; size];
                "nothing but zeros"
            }
            1 => {
                case.signature = padded(&BigUint::from(1_u8));
                "one"
            }
            2 => {
                case.signature = padded(&(modulus() - BigUint::from(1_u8)));
                "minus one"
            }
            3 => {
                case.signature = padded(&modulus());
                "the modulus"
            }
            _ => {
                rng.fill(&mut case.signature[..]);
                "random bytes"
            }
        },
    };
    case
}
