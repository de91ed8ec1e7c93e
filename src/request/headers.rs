//! The request's headers, in order, with repeated ones apart.

/// One header as it arrived: the name in lower case, the value as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name in lower case.
    pub name: String,
    /// The value.
    pub value: Vec<u8>,
}

/// All headers of a request in the order of arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderMap(Vec<Header>);

impl HeaderMap {
    /// The value of the first header of exactly this name (pseudo-headers included).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|header| header.name == name)
            .map(|header| header.value.as_slice())
    }

    /// Every header of this name in any spelling: servers that speak CGI's dialect take `_` for `-`.
    pub fn like(&self, name: &str) -> impl Iterator<Item = &Header> {
        self.0
            .iter()
            .filter(move |header| same_name(&header.name, name))
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = &Header> {
        self.0.iter()
    }
}

impl FromIterator<(String, Vec<u8>)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(headers: I) -> Self {
        let lower = |(mut name, value): (String, Vec<u8>)| {
            name.make_ascii_lowercase();
            Header { name, value }
        };
        Self(headers.into_iter().map(lower).collect())
    }
}

/// Whether two header names are one and the same to some server.
pub(crate) fn same_name(name: &str, other: &str) -> bool {
    name.len() == other.len() && starts_like(name, other)
}

/// Whether a header name begins with a prefix in any spelling.
pub(crate) fn starts_like(name: &str, prefix: &str) -> bool {
    name.len() >= prefix.len()
        && name
            .bytes()
            .zip(prefix.bytes())
            .all(|(a, b)| folded(a) == folded(b))
}

/// One byte for every spelling of a header name's character. CGI makes `_` of whatever is not a letter or
/// a digit, so `x.jobgate-rule` is `X_JOBGATE_RULE` too.
const fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_every_spelling() {
        let headers: HeaderMap = [
            "X-Job-Token",
            "x_job_token",
            "x-job_token",
            "x.job.token",
            "x-job-tokens",
        ]
        .into_iter()
        .map(|name| (String::from(name), Vec::new()))
        .collect();
        assert_eq!(headers.like("x-job-token").count(), 4);
        assert_eq!(
            headers
                .iter()
                .filter(|header| starts_like(&header.name, "x-job-"))
                .count(),
            5
        );
        assert!(!starts_like("x-jo", "x-job-"));
    }
}
