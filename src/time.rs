//! The two kinds of time the core knows: a moment it is handed, and a span the policy writes.

use std::time::Duration;

/// A moment, as time since the Unix epoch. The core is handed one with every call and never asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(Duration);

impl UnixTime {
    /// A moment this long after the epoch.
    #[must_use]
    pub const fn new(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// A moment this many whole seconds after the epoch (a JWT's NumericDate).
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// Whole milliseconds since the epoch, saturating.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// This moment and a span later; the end of time when it would overflow.
    #[must_use]
    pub const fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// This moment and a span before it; the epoch when it would be earlier.
    #[must_use]
    pub const fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }

    /// How long ago `earlier` was; nothing when it lies ahead (the host's clock went back).
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Reads a span as policies write it: a whole number and a unit, `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// A message that names what is accepted.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let refuse = || {
        format!(
            "{text:?} is not a duration; write a whole number and a unit (ms, s, m, h, d), like \"30s\""
        )
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(refuse)?;
    let number: u64 = number.parse().map_err(|_| refuse())?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    }
    .ok_or_else(refuse)
}

/// Writes a span as [`parse_span`] reads it, in the largest unit that leaves no rest.
pub(crate) fn span_text(span: Duration) -> String {
    let millis = span.as_millis();
    for (unit, each) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ] {
        if millis.is_multiple_of(each) && (millis >= each || unit == "s") {
            return format!("{}{unit}", millis.checked_div(each).unwrap_or_default());
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_need_a_number_and_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("0s", 0),
            ("30s", 30_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            let span = Duration::from_millis(millis);
            assert_eq!(parse_span(text).unwrap(), span, "{text}");
            assert_eq!(span_text(span), text);
        }
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5h",
            "1 s",
            "1S",
            "99999999999999999999s",
            "9999999999999999999d",
            "५s",
        ] {
            assert!(parse_span(text).unwrap_err().contains("\"30s\""), "{text}");
        }
    }

    #[test]
    fn a_clock_that_went_back_is_no_time_at_all() {
        assert_eq!(
            UnixTime::from_secs(5).since(UnixTime::from_secs(9)),
            Duration::ZERO
        );
    }
}
