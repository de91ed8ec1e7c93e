//! What conditions mention, for tools that make requests to try policies with.

use super::certificate::CertificateTest;
use super::glob::ClaimGlob;
use super::matcher::ClaimTest;

impl ClaimTest {
    /// The values that it names, wanted or not.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let single = self.equals.iter().chain(&self.not_equals);
        let lists = self.one_of.iter().chain(&self.none_of).flatten();
        single.chain(lists).map(String::as_str)
    }

    /// The globs of which a value must match one.
    pub fn globs(&self) -> impl Iterator<Item = &ClaimGlob> {
        self.matches.iter().flatten()
    }
}

impl CertificateTest {
    /// The globs over the subject, over the URI, and over the DNS name.
    #[must_use]
    pub fn globs(&self) -> [&[ClaimGlob]; 3] {
        [&self.subject, &self.uri_san, &self.dns_san]
    }
}
