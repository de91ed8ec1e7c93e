//! Stands in until the real one comes.
#![allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGlob(String);
impl HostGlob {
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.into()))
    }
    pub fn matches(&self, host: &str) -> bool {
        self.0 == host
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
pub fn normalise(host: &[u8]) -> Option<String> {
    String::from_utf8(host.to_vec()).ok()
}
