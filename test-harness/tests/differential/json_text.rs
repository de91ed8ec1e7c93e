//! JSON that can be read in two ways, or in none.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use crate::draft::{Draft, quoted};
use crate::mutate::{VALUES, pick};

/// JSON that can be read in two ways, or in none.
pub(crate) fn json_text(draft: &mut Draft, rng: &mut StdRng) {
    let in_header = rng.gen_bool(0.4);
    let members = if in_header {
        &mut draft.header
    } else {
        &mut draft.claims
    };
    match rng.gen_range(0..9) {
        0 | 1 => {
            // A member again: the same, or another value, at the start or at the end.
            let at = rng.gen_range(0..members.0.len().max(1));
            let Some((name, value)) = members.0.get(at).cloned() else {
                return;
            };
            let value = if rng.gen_bool(0.5) {
                value
            } else {
                pick(&VALUES, rng).to_owned()
            };
            let name = if rng.gen_bool(0.3) {
                escaped(&name)
            } else {
                name
            };
            let place = if rng.gen_bool(0.5) {
                0
            } else {
                members.0.len()
            };
            members.0.insert(place, (name, value));
        }
        2 => {
            let at = rng.gen_range(0..members.0.len().max(1));
            if let Some((name, _)) = members.0.get_mut(at) {
                *name = escaped(name);
            }
        }
        3 => {
            let depth = rng.gen_range(12..20);
            let (open, close) = if rng.gen_bool(0.5) {
                ("[", "]")
            } else {
                ("{\"a\":", "}")
            };
            members.set(
                "deep",
                format!("{}0{}", open.repeat(depth), close.repeat(depth)),
            );
        }
        4 => {
            let texts = [
                "\"\\ud800\"",
                "\"\\udc00\\ud800\"",
                "\"\\ud83d\\ude00\"",
                "\"\u{1f600}\"",
                "\"\\x41\"",
                "\"\t\"",
                "'x'",
                "1,",
                "NaN",
                "-Infinity",
                "1e400",
                "-1e400",
                "1e-400",
                "00",
                ".5",
                "5.",
                "tru",
                "undefined",
                "/**/1",
                "{\"a\":1,\"a\":2}",
                "[1,]",
                "123456789012345678901234567890",
            ];
            members.set("odd", pick(&texts, rng));
        }
        5 => draft.space = pick(&[" ", "\n", "\r\n\t", "\u{a0}", "\u{c}"], rng),
        6 => {
            let size = rng.gen_range(2_900..3_300);
            members.set(
                "padding",
                quoted(&"x".repeat(if rng.gen_bool(0.7) { size } else { size * 4 })),
            );
        }
        _ => bytes(draft, in_header, rng),
    }
}

/// A JSON string with its first letter as an escape.
fn escaped(name: &str) -> String {
    let inner = name.trim_matches('"');
    let mut letters = inner.chars();
    match letters.next() {
        Some(first) if first.is_ascii_alphabetic() => {
            format!("\"\\u{:04x}{}\"", u32::from(first), letters.as_str())
        }
        _ => name.to_owned(),
    }
}

/// The header's or the payload's bytes in another encoding, with something around them, or not an object.
fn bytes(draft: &mut Draft, in_header: bool, rng: &mut StdRng) {
    let unsigned = draft.sign();
    let text = String::from_utf8(if in_header {
        unsigned.header
    } else {
        unsigned.payload
    })
    .unwrap_or_default();
    // What is no text any more, or hardly any, has been changed enough.
    if text.len() < 5 {
        return;
    }
    let units = text.encode_utf16();
    let bytes = match rng.gen_range(0..13) {
        0 => format!("\u{feff}{text}").into_bytes(),
        1 => units.flat_map(u16::to_le_bytes).collect(),
        2 => units.flat_map(u16::to_be_bytes).collect(),
        3 => [
            &[0xff, 0xfe][..],
            &units.flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        ]
        .concat(),
        4 => text
            .replace("JWT", "J\u{e9}")
            .chars()
            .map(|letter| letter as u8)
            .collect(),
        5 => [
            &text.as_bytes()[..1],
            b"\"s\":\"\xed\xa0\x80\",",
            &text.as_bytes()[1..],
        ]
        .concat(),
        6 => format!("{text} ").into_bytes(),
        7 => format!("{text}{text}").into_bytes(),
        8 => format!("{text}\u{0}").into_bytes(),
        9 => format!("[{text}]").into_bytes(),
        10 => json!(text).to_string().into_bytes(),
        11 => pick(&["", "null", "{}", "[]", "7", "\"x\"", "{", "}"], rng)
            .as_bytes()
            .to_vec(),
        _ => text.as_bytes()[..text.len() - rng.gen_range(1..5)].to_vec(),
    };
    if in_header {
        draft.header_bytes = Some(bytes);
    } else {
        draft.payload_bytes = Some(bytes);
    }
}
