//! How much the verified-token cache may hold.

use super::Checker;
use crate::policy::raw::{RawCache, RawSize};
use crate::token::CacheLimits;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

const DEFAULT_ENTRIES: u64 = 1_000;
const MAX_ENTRIES: u64 = 1_000_000;
const DEFAULT_BYTES: u64 = 2 * MIB;
/// Room for some tokens of the largest size: with less, none of those would ever be found.
const MIN_BYTES: u64 = 64 * KIB;
const MAX_BYTES: u64 = 512 * MIB;

impl Checker {
    pub(super) fn cache(&mut self, raw: RawCache) -> Option<CacheLimits> {
        let entries = raw.entries.unwrap_or(DEFAULT_ENTRIES);
        if entries > MAX_ENTRIES {
            let message = format!("{entries} is more than {MAX_ENTRIES}; 0 switches the cache off");
            self.error("cache.entries", message);
        }
        let bytes = match raw.bytes {
            None => DEFAULT_BYTES,
            Some(RawSize::Bytes(bytes)) => bytes,
            Some(RawSize::Text(text)) => self.ok("cache.bytes", parse_size(&text))?,
        };
        if !(MIN_BYTES..=MAX_BYTES).contains(&bytes) {
            let message = format!(
                "{bytes} bytes are not between 64KiB and 512MiB; `entries: 0` switches the cache off"
            );
            self.error("cache.bytes", message);
        }
        Some(CacheLimits {
            entries: usize::try_from(entries).ok()?,
            bytes: usize::try_from(bytes).ok()?,
        })
    }
}

/// Reads a size: a whole number and a unit, `KiB` or `MiB`.
fn parse_size(text: &str) -> Result<u64, String> {
    let refuse = || {
        format!("{text:?} is not a size; write a whole number and a unit (KiB, MiB), like \"2MiB\"")
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(refuse)?;
    let number: u64 = number.parse().map_err(|_| refuse())?;
    match unit {
        "KiB" => number.checked_mul(KIB),
        "MiB" => number.checked_mul(MIB),
        _ => None,
    }
    .ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_need_a_number_and_a_unit() {
        assert_eq!(parse_size("512KiB"), Ok(524_288));
        assert_eq!(parse_size("2MiB"), Ok(2_097_152));
        for text in [
            "",
            "2",
            "MiB",
            "2MB",
            "2 MiB",
            "2mib",
            "-2MiB",
            "1.5MiB",
            "99999999999999MiB",
        ] {
            assert!(parse_size(text).unwrap_err().contains("\"2MiB\""), "{text}");
        }
    }
}
