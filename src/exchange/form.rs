//! A body of a form (`application/x-www-form-urlencoded`).

use super::call::{Call, Server};
use std::fmt::Write;
use zeroize::Zeroize;

/// Its members, joined.
#[derive(Default)]
pub(super) struct Form(String);

impl Form {
    pub(super) fn add(&mut self, name: &str, value: &str) {
        let mut encoded = Self::encoded(value);
        let mut longer = String::with_capacity(
            self.0
                .len()
                .saturating_add(name.len())
                .saturating_add(encoded.len())
                .saturating_add(2),
        );
        longer.push_str(&self.0);
        if !longer.is_empty() {
            longer.push('&');
        }
        longer.push_str(name);
        longer.push('=');
        longer.push_str(&encoded);
        // No copy of a secret stays behind.
        encoded.zeroize();
        self.0.zeroize();
        self.0 = longer;
    }

    pub(super) fn post(self, server: &Server, accept: &str) -> Call {
        Call::post(server, "application/x-www-form-urlencoded", accept, self.0)
    }

    /// A value as a form has it: a space is escaped too, which every server reads.
    pub(super) fn encoded(value: &str) -> String {
        let mut out = String::with_capacity(value.len().saturating_mul(3));
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                _ = write!(out, "%{byte:02X}");
            }
        }
        out
    }
}
