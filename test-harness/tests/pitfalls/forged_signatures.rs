//! Row 21: signatures that a careless verifier takes, and keys that nobody should use.

use jobgate_harness::keys::Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256};
use serde_json::json;

use crate::forge::{self, claims, header, jwks, key, token};
use crate::forged::refused;
use crate::world::{policy, ready, told};

#[test]
fn pitfall_21_signatures_of_curves() {
    let order = |hex: &str| -> Vec<u8> {
        let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| (pair[0] * 16 + pair[1]) as u8)
            .collect()
    };
    let p256 = order("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let p384 = order(
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    );
    let mut cases = Vec::new();
    for (algorithm, order) in [(Es256, p256), (Es384, p384)] {
        let zero = vec![0; order.len()];
        let one = [&zero[1..], &[1]].concat();
        let forged = |what: &str, signature: Vec<u8>| {
            let header = header(algorithm).to_string();
            let forged = token(header, claims(json!({})).to_string(), |_| signature);
            (format!("{algorithm:?}: {what}"), forged)
        };
        let pairs = [
            ("r = s = 0", &zero, &zero),
            ("r = 0", &zero, &one),
            ("s = 0", &one, &zero),
            ("r = n", &order, &one),
            ("s = n", &one, &order),
            ("r = s = n", &order, &order),
            ("r = s = 1", &one, &one),
        ];
        cases.extend(pairs.map(|(what, r, s)| forged(what, [&r[..], s].concat())));
        cases.push(forged("nothing", Vec::new()));
        cases.push(forged("zeros in DER", vec![0x30, 6, 2, 1, 0, 2, 1, 0]));
        let der = |input: &[u8]| {
            let signature = key(algorithm).sign(input);
            let (r, s) = signature.split_at(order.len());
            let number = |half: &[u8]| {
                let sign = usize::from(half[0] >= 0x80);
                [&[2, (half.len() + sign) as u8][..], &vec![0; sign], half].concat()
            };
            let both = [number(r), number(s)].concat();
            [&[0x30, both.len() as u8][..], &both].concat()
        };
        let header = header(algorithm).to_string();
        let good = token(header, claims(json!({})).to_string(), der);
        cases.push((format!("{algorithm:?}: a good one in DER"), good));
    }
    let zeros = token(
        header(EdDsa).to_string(),
        claims(json!({})).to_string(),
        |_| vec![0; 64],
    );
    cases.push(("EdDSA: zeros".to_owned(), zeros));
    let neutral = [vec![1], vec![0; 63]].concat();
    let neutral = token(
        header(EdDsa).to_string(),
        claims(json!({})).to_string(),
        |_| neutral,
    );
    cases.push(("EdDSA: the neutral element and zero".to_owned(), neutral));
    refused("signature_invalid", cases);
}

#[test]
fn pitfall_21_rsa_padding_and_weak_keys() {
    let payload = claims(json!({})).to_string();
    let by = |alg: &str, kid: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        token(
            json!({ "alg": alg, "kid": kid }).to_string(),
            &payload,
            sign,
        )
    };
    let own = key(Rs256);
    let good = |input: &[u8]| own.sign(input);
    let pss = |input: &[u8]| key(Ps256).sign(input);
    let spoilt = |place: usize, byte: u8| {
        move |input: &[u8]| {
            let mut padded = forge::padded(input);
            padded[place] = byte;
            forge::raw_rsa(&padded)
        }
    };
    let trailing = |input: &[u8]| {
        let padded = forge::padded(input);
        forge::raw_rsa(&[&padded[..100], &padded[200..], &[0; 100]].concat())
    };
    // The key without alg serves all of RSA's; so the tests reach the padding.
    let policy = policy(json!({}));
    let mut state = ready(&policy, &jwks());
    for (alg, kid, sign) in [
        ("RS256", "any", &good as &dyn Fn(&[u8]) -> Vec<u8>),
        ("RS256", "any", &|input| {
            forge::raw_rsa(&forge::padded(input))
        }),
        ("PS256", "any", &pss),
    ] {
        assert_eq!(
            told(&policy, &mut state, &by(alg, kid, sign)),
            "allow",
            "{alg}"
        );
    }
    refused(
        "signature_invalid",
        [
            (
                "the cube root (Bleichenbacher 2006)",
                by("RS256", "e3", &forge::cube_root_of_padded),
            ),
            ("bytes behind the hash", by("RS256", "any", &trailing)),
            ("block type 2", by("RS256", "any", &spoilt(1, 2))),
            ("a first byte", by("RS256", "any", &spoilt(0, 1))),
            (
                "another byte in the padding",
                by("RS256", "any", &spoilt(20, 0xfe)),
            ),
            ("a zero in the padding", by("RS256", "any", &spoilt(20, 0))),
            ("PSS given as PKCS 1", by("RS256", "any", &pss)),
            ("PKCS 1 given as PSS", by("PS256", "any", &good)),
            ("SHA-256 given as SHA-512", by("RS512", "any", &good)),
            (
                "a byte more",
                by("RS256", "any", &|input| [good(input), vec![0]].concat()),
            ),
            (
                "a byte less",
                by("RS256", "any", &|input| good(input)[..255].to_vec()),
            ),
            ("zeros", by("RS256", "any", &|_| vec![0; 256])),
            (
                "one",
                by("RS256", "any", &|_| [vec![0; 255], vec![1]].concat()),
            ),
        ],
    );
    // Keys in the set that are none: each signature would be good.
    refused(
        "keys_unavailable",
        [
            (
                "the exponent 1, under which the padded message signs itself",
                by("RS256", "e1", &forge::padded),
            ),
            ("1024 bits", by("RS256", "small", &forge::small_signature)),
            ("a key for encryption", by("RS256", "for-encryption", &good)),
            ("a key for signing alone", by("RS256", "for-signing", &good)),
            (
                "a key whose private half is published",
                by("RS256", "leaked", &good),
            ),
            ("a key of RS256 for PS256", by("PS256", own.kid(), &pss)),
        ],
    );
}
