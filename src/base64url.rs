//! base64url without padding (RFC 7515, section 2), read and written in one way only.

use base64::engine::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes that a text stands for; nothing for one with padding, with a character of another alphabet, or whose last
/// bits are not zero: the same bytes must have no second text.
#[inline]
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The one text of these bytes.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_codecs::{Base64UrlSafeNoPadding, Decoder};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn another_library_reads_the_same(text in "[A-Za-z0-9_-]{0,40}|[A-Za-z0-9_=+/ -]{0,9}|.{0,5}") {
            let bytes = Base64UrlSafeNoPadding::decode_to_vec(&text, None).ok();
            prop_assert_eq!(bytes.as_ref().map(encode), bytes.as_ref().map(|_| text.clone()));
            prop_assert_eq!(decode(&text), bytes);
        }
    }
}
