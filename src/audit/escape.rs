//! Claims in places where they could be read as something else.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A value for a header: visible ASCII and inner spaces as they are, all else percent-encoded, and `%` and
/// `,` too. So a value holds no line break, no second value and no list, and percent-decoding gives back
/// the claim.
#[must_use]
pub(super) fn header_value(text: &str) -> Cow<'_, str> {
    let stands_for_itself = |byte: u8| matches!(byte, 0x21..=0x7e) & !matches!(byte, b'%' | b',');
    if text.bytes().all(stands_for_itself) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (nth, byte) in text.bytes().enumerate() {
        let at_an_end = nth == 0 || nth.saturating_add(1) == text.len();
        match byte {
            b'%' | b',' => escape(&mut out, byte),
            0x21..=0x7e => out.push(char::from(byte)),
            b' ' if !at_an_end => out.push(' '),
            _ => escape(&mut out, byte),
        }
    }
    Cow::Owned(out)
}

fn escape(out: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    _ = write!(out, "%{byte:02X}");
}

/// The beginning of a text that takes at most `budget` bytes as a [`Line`](super::line::Line) writes it, and `...`
/// where something was left out.
#[must_use]
pub(super) fn clipped(text: &str, budget: usize) -> Cow<'_, str> {
    let mut written = 0_usize;
    for (at, character) in text.char_indices() {
        written = written.saturating_add(match character {
            '"' | '\\' => 2,
            ' '..='~' => 1,
            other => other.len_utf16().saturating_mul(6),
        });
        if written > budget {
            return Cow::Owned(format!("{}...", text.get(..at).unwrap_or_default()));
        }
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::super::line::written;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_value_is_one_visible_value() {
        for (text, value) in [
            ("main", "main"),
            ("feature/x y", "feature/x y"),
            (" padded ", "%20padded%20"),
            ("a\r\nx-admin: 1", "a%0D%0Ax-admin: 1"),
            ("a,b", "a%2Cb"),
            ("100%", "100%25"),
            ("é\0\x7f", "%C3%A9%00%7F"),
            ("", ""),
        ] {
            assert_eq!(header_value(text), value);
        }
    }

    proptest! {
        #[test]
        fn a_clipped_text_begins_alike_and_keeps_to_its_budget(text in ".{0,40}", budget in 0_usize..60) {
            let short = clipped(&text, budget);
            let kept = if short == text { &text } else { short.strip_suffix("...").unwrap() };
            prop_assert!(text.starts_with(kept));
            prop_assert!(written(kept) <= budget + 2);
        }

        #[test]
        fn a_header_value_is_printable_and_percent_decodes_to_the_claim(text in ".*") {
            let value = header_value(&text);
            prop_assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b','));
            let mut bytes = value.bytes();
            let mut decoded = Vec::new();
            while let Some(byte) = bytes.next() {
                decoded.push(match byte {
                    b'%' => {
                        let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                    }
                    byte => byte,
                });
            }
            prop_assert_eq!(decoded, text.as_bytes());
        }
    }
}
