//! A request, as the command line and test files describe it.

use jiff::Timestamp;
use jobgate::policy::{ClientCertificate, normalise_host};
use jobgate::time::UnixTime;
use std::str::FromStr;
use std::time::Duration;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The request target: the path, and the query if it has one.
    pub(crate) target: String,
    pub(crate) host: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) certificate: Certificate,
}

impl Request {
    /// A request that is about nothing.
    pub(super) fn nothing() -> Self {
        Self {
            method: String::new(),
            target: "/".into(),
            host: None,
            route: None,
            service: None,
            certificate: Certificate::default(),
        }
    }

    /// The target without its query, which may hold secrets.
    pub(crate) fn without_query(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The host, as rules see it.
    pub(crate) fn normal_host(&self) -> Option<String> {
        normalise_host(self.host.as_ref()?.as_bytes())
    }
}

/// What the gateway tells of the client's certificate. Unless it is said, that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate(ClientCertificate);

impl Default for Certificate {
    fn default() -> Self {
        Self(ClientCertificate {
            verified: Some(false),
            ..ClientCertificate::default()
        })
    }
}

impl Certificate {
    /// A gateway that does not say.
    pub(crate) fn unknown() -> Self {
        Self(ClientCertificate::NOT_TOLD.clone())
    }

    /// One that the gateway verified, with what it tells of it.
    pub(crate) fn verified(
        subject: Option<String>,
        uri_san: Option<String>,
        dns_san: Option<String>,
    ) -> Self {
        Self(ClientCertificate {
            verified: Some(true),
            subject,
            uri_san,
            dns_san,
        })
    }

    /// The same, as rules see it.
    pub(crate) fn of(facts: &ClientCertificate) -> Self {
        Self(facts.clone())
    }

    /// Reads the command line's: `none`, `unknown`, or `verified` and what it says.
    ///
    /// # Errors
    /// What is wrong and how it is written.
    pub(crate) fn parse(given: &[String]) -> Result<Self, String> {
        let mut read = ClientCertificate::default();
        for text in given {
            match (text.as_str(), text.split_once('=')) {
                ("none", _) if given.len() == 1 => return Ok(Self::default()),
                ("unknown", _) if given.len() == 1 => return Ok(Self::unknown()),
                ("verified", _) => {}
                (_, Some(("subject", value))) => read.subject = Some(value.into()),
                (_, Some(("uri_san", value))) => read.uri_san = Some(value.into()),
                (_, Some(("dns_san", value))) => read.dns_san = Some(value.into()),
                _ => {
                    return Err(format!(
                        "{text:?} says nothing of a certificate here; write none, unknown or verified, or subject=..., uri_san=... and dns_san=... of one that was verified"
                    ));
                }
            }
        }
        if given.is_empty() {
            return Ok(Self::default());
        }
        read.verified = Some(true);
        Ok(Self(read))
    }

    pub(crate) fn facts(&self) -> &ClientCertificate {
        &self.0
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        let certificate = &self.0;
        match certificate.verified {
            None => return "not told".into(),
            Some(false) => return "none".into(),
            Some(true) => {}
        }
        let parts: Vec<_> = [
            ("subject", &certificate.subject),
            ("uri_san", &certificate.uri_san),
            ("dns_san", &certificate.dns_san),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {:?}", value.as_ref()?)))
        .collect();
        if parts.is_empty() {
            "verified".into()
        } else {
            format!("verified, {}", parts.join(", "))
        }
    }
}

/// Reads a moment: RFC 3339, or seconds since 1970.
///
/// # Errors
/// How it is written.
pub(crate) fn moment(text: &str) -> Result<UnixTime, String> {
    let wrong = || {
        format!(
            "{text:?} is no moment; write \"2026-11-20T17:00:00Z\", with an offset like \"+01:00\" for local time, or seconds since 1970"
        )
    };
    if let Ok(seconds) = text.parse::<u64>() {
        return match seconds {
            // The year 10000: beyond it nothing is shown as a date.
            ..253_402_300_800 => Ok(UnixTime::from_secs(seconds)),
            _ => Err(wrong()),
        };
    }
    let moment = Timestamp::from_str(text).map_err(|_| wrong())?;
    let since_epoch = Duration::try_from(moment.as_duration()).map_err(|_| wrong())?;
    Ok(UnixTime::new(since_epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339_or_seconds() {
        for (text, seconds) in [
            ("2026-11-20T17:00:00Z", 1_795_194_000),
            ("2026-11-20T18:00:00+01:00", 1_795_194_000),
            ("1970-01-01T00:00:00Z", 0),
            ("1795194000", 1_795_194_000),
        ] {
            assert_eq!(moment(text), Ok(UnixTime::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "now",
            "2026-11-20",
            "1969-12-31T23:59:59Z",
            "-1",
            "253402300800",
            "1e9",
        ] {
            assert!(moment(text).unwrap_err().contains("since 1970"), "{text}");
        }
    }

    #[test]
    fn a_certificate_is_none_unless_it_is_said() {
        let parse = |given: &[&str]| {
            let given: Vec<_> = given.iter().copied().map(String::from).collect();
            Certificate::parse(&given).map(|certificate| certificate.describe())
        };
        for (given, described) in [
            (&[][..], "none"),
            (&["none"], "none"),
            (&["unknown"], "not told"),
            (&["verified"], "verified"),
            (
                &["verified", "subject=CN=a=b"],
                "verified, subject \"CN=a=b\"",
            ),
            (
                &["uri_san=spiffe://a", "dns_san=b"],
                "verified, uri_san \"spiffe://a\", dns_san \"b\"",
            ),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(described), "{given:?}");
        }
        for given in [&["none", "verified"][..], &["issuer=x"], &[""]] {
            assert!(parse(given).is_err(), "{given:?}");
        }
    }
}
