//! Changes of the claims: dates around what decides, forms of `aud`, other issuers, other types.

use rand::Rng;
use rand::rngs::StdRng;

use crate::draft::{Draft, quoted};
use crate::mutate::{VALUES, pick};
use crate::world::{AUDIENCE, LEEWAY, MAX_LIFETIME, NOW, World};

/// Dates around what decides, in every form that a number has.
pub(crate) fn date(draft: &mut Draft, rng: &mut StdRng) {
    let name = pick(&["exp", "exp", "nbf", "iat"], rng);
    let now = NOW as i64;
    let edges = [
        -MAX_LIFETIME - 1,
        -MAX_LIFETIME,
        -LEEWAY - 1,
        -LEEWAY,
        -LEEWAY + 1,
        -1,
        0,
        1,
        LEEWAY - 1,
        LEEWAY,
        LEEWAY + 1,
        600,
        MAX_LIFETIME - 1,
        MAX_LIFETIME,
        MAX_LIFETIME + 1,
    ];
    let moment = now + edges[rng.gen_range(0..edges.len())];
    let value = match rng.gen_range(0..14) {
        0..=6 => moment.to_string(),
        7 => format!("{moment}.{}", rng.gen_range(0..1_000)),
        8 => format!("{moment}.0"),
        9 => format!("{}e-3", moment * 1_000),
        10 => pick(&VALUES, rng).to_owned(),
        11 => {
            let odd = [
                "-1800000100",
                "-0.5",
                "253402300799",
                "253402300800",
                "1e999",
                "NaN",
                "Infinity",
                "-Infinity",
                "18446744073709551615",
                "18446744073709551616",
                "9007199254740993",
                "18E8",
                "01800000100",
                "+1800000100",
                "0x6b49d200",
                "1_800_000_100",
            ];
            pick(&odd, rng).to_owned()
        }
        12 => {
            draft.claims.remove(name);
            return;
        }
        // The lifetime to the second.
        _ => {
            let issued = now - rng.gen_range(0..100);
            draft.claims.set("iat", issued.to_string());
            let lifetime = MAX_LIFETIME + rng.gen_range(-1..=1);
            draft.claims.set("exp", (issued + lifetime).to_string());
            return;
        }
    };
    draft.claims.set(name, value);
}

pub(crate) fn audience(draft: &mut Draft, rng: &mut StdRng) {
    let ours = quoted(AUDIENCE);
    let value = match rng.gen_range(0..16) {
        0 => {
            draft.claims.remove("aud");
            return;
        }
        1 => pick(&VALUES, rng).to_owned(),
        2 => "\"https://buildkite.com/acme\"".to_owned(),
        3 => format!("[{ours}]"),
        4 => format!("[\"https://other.example\",{ours}]"),
        5 => format!("[{ours},{ours}]"),
        6 => "[\"a\",\"b\"]".to_owned(),
        7 => format!("[{ours},{}]", pick(&VALUES, rng)),
        8 => format!("[[{ours}]]"),
        9 => format!("{{\"{AUDIENCE}\":true}}"),
        10 => quoted(&format!("{AUDIENCE}/")),
        11 => quoted(&AUDIENCE.to_uppercase()),
        12 => quoted(&AUDIENCE[..AUDIENCE.len() - 1]),
        13 => quoted(&format!(" {AUDIENCE}")),
        // The same text, escaped.
        14 => ours.replace('d', "\\u0064").replace('/', "\\/"),
        _ => "\"https://second.example\"".to_owned(),
    };
    draft.claims.set("aud", value);
}

pub(crate) fn issuer(draft: &mut Draft, world: &World, rng: &mut StdRng) {
    let name = world.issuers[draft.issuer].name;
    let other = world.issuers[1 - draft.issuer].name;
    let value = match rng.gen_range(0..9) {
        0 => {
            draft.claims.remove("iss");
            return;
        }
        1 | 2 => quoted(other),
        3 => quoted(&format!("{name}/")),
        4 => quoted(&name.replace("https", "HTTPS")),
        5 => format!("[{}]", quoted(name)),
        6 => format!("[{},{}]", quoted(name), quoted(other)),
        7 => pick(&VALUES, rng).to_owned(),
        _ => quoted(name).replace('e', "\\u0065"),
    };
    draft.claims.set("iss", value);
}

/// Claims whose type is registered, names that look like registered ones, and claims of no account.
pub(crate) fn other_claim(draft: &mut Draft, rng: &mut StdRng) {
    let name = pick(
        &[
            "sub",
            "sub",
            "jti",
            "jti",
            "nonce",
            "Exp",
            "exp ",
            "azp",
            "build_number",
            "",
            "__proto__",
        ],
        rng,
    );
    if rng.gen_bool(0.15) {
        draft.claims.remove(name);
    } else {
        draft.claims.set(name, pick(&VALUES, rng));
    }
}
