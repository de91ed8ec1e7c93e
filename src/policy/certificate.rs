//! What a rule asks of the client's certificate.

use super::condition::Truth;
use super::facts::ClientCertificate;
use super::glob::ClaimGlob;
use std::fmt;

/// Globs over what the gateway tells of the certificate; a list that is empty asks for nothing. That the
/// gateway verified a certificate is always asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateTest {
    /// Of which the subject must match one.
    pub(super) subject: Vec<ClaimGlob>,
    /// Of which the URI must match one.
    pub(super) uri_san: Vec<ClaimGlob>,
    /// Of which the DNS name must match one.
    pub(super) dns_san: Vec<ClaimGlob>,
}

impl CertificateTest {
    /// Whether a certificate passes. What the gateway does not tell is unknown.
    pub(super) fn holds(&self, certificate: &ClientCertificate) -> Truth {
        match certificate.verified {
            None => {
                return Truth::Unknown(
                    "the gateway does not tell whether it verified a client certificate".into(),
                );
            }
            Some(false) => return Truth::No,
            Some(true) => {}
        }
        let mut truth = Truth::Yes;
        for (globs, value) in [
            (&self.subject, &certificate.subject),
            (&self.uri_san, &certificate.uri_san),
            (&self.dns_san, &certificate.dns_san),
        ] {
            match value {
                _ if globs.is_empty() => {}
                Some(value) if globs.iter().any(|glob| glob.matches(value)) => {}
                Some(_) => return Truth::No,
                None => {
                    truth = Truth::Unknown(
                        "the gateway does not tell this of the client's certificate".into(),
                    );
                }
            }
        }
        truth
    }
}

impl fmt::Display for CertificateTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a verified client certificate")?;
        for (name, globs) in [
            ("subject", &self.subject),
            ("uri_san", &self.uri_san),
            ("dns_san", &self.dns_san),
        ] {
            if !globs.is_empty() {
                let globs: Vec<_> = globs.iter().map(ClaimGlob::as_str).collect();
                write!(f, " with {name} like one of {globs:?}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_neither_yes_nor_no() {
        let globs = |text: &str| vec![ClaimGlob::parse(text).unwrap()];
        let told = |verified, subject: Option<&str>, uri: Option<&str>| ClientCertificate {
            verified,
            subject: subject.map(String::from),
            uri_san: uri.map(String::from),
            dns_san: None,
        };
        let any = CertificateTest::default();
        let both = CertificateTest {
            subject: globs("CN=ci-*"),
            uri_san: globs("spiffe://acme/ci/*"),
            dns_san: Vec::new(),
        };
        let uri = Some("spiffe://acme/ci/agent");
        let subject = Some("CN=ci-agent");
        for (test, certificate, expected) in [
            (&any, told(None, subject, uri), None),
            (&any, told(Some(false), subject, uri), Some(false)),
            (&any, told(Some(true), None, None), Some(true)),
            (&both, told(Some(true), subject, uri), Some(true)),
            (&both, told(Some(false), subject, uri), Some(false)),
            (&both, told(Some(true), Some("CN=x"), uri), Some(false)),
            (&both, told(Some(true), Some("CN=x"), None), Some(false)),
            (&both, told(Some(true), None, Some("x")), Some(false)),
            (&both, told(Some(true), None, uri), None),
        ] {
            let truth = match test.holds(&certificate) {
                Truth::Yes => Some(true),
                Truth::No => Some(false),
                Truth::Unknown(_) => None,
            };
            assert_eq!(truth, expected, "{test} on {certificate:?}");
        }
    }
}
