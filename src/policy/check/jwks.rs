//! Where an issuer's keys come from.

use super::polling::{Terms, Written};
use super::{Checker, secs};
use crate::fetch::HttpUri;
use crate::keys::{JwksLocation, JwksSource};
use crate::policy::preset::Preset;
use crate::policy::raw::RawJwks;

impl Checker {
    /// `issuer` is `None` after an error in it, which says enough.
    pub(super) fn jwks(
        &mut self,
        path: &str,
        raw: RawJwks,
        issuer: Option<&str>,
        preset: Option<&Preset>,
    ) -> Option<JwksSource> {
        let at = |field: &str| format!("{path}.{field}");
        let location = self.location(path, raw.uri.as_deref(), raw.discovery, issuer, preset);
        let written = Written {
            cluster: raw.cluster,
            refresh: raw.refresh,
            timeout: raw.timeout,
            max_stale: raw.max_stale,
        };
        let terms = Terms {
            refresh: ("refresh", secs(600), secs(10)..=secs(86_400)),
            max_stale: (secs(86_400), secs(10)..=secs(30 * 86_400)),
            dropped: "keys",
        };
        let polling = self.polling(path, written, terms);
        let wait = self.span(&at("wait"), raw.wait, secs(2), secs(0)..=secs(10));
        Some(JwksSource {
            location: location?,
            polling: polling?,
            wait: wait?,
        })
    }

    /// The address that is written, else the preset's, else what the issuer's metadata will say.
    fn location(
        &mut self,
        path: &str,
        uri: Option<&str>,
        discovery: Option<bool>,
        issuer: Option<&str>,
        preset: Option<&Preset>,
    ) -> Option<JwksLocation> {
        let at_uri = format!("{path}.uri");
        match (uri, discovery, preset) {
            (Some(_), Some(true), _) => {
                self.error(
                    format!("{path}.discovery"),
                    "is true beside uri; write one of them",
                );
                None
            }
            (Some(uri), _, _) => Some(JwksLocation::Address(
                self.ok(&at_uri, HttpUri::parse(uri))?,
            )),
            (None, None | Some(false), Some(preset)) => {
                let uri = self.below_issuer(&at_uri, issuer?, |issuer| preset.jwks_uri(issuer))?;
                Some(JwksLocation::Address(uri))
            }
            (None, Some(false), None) => {
                self.error(
                    at_uri,
                    "is missing, and discovery is false; write the address of the issuer's key set",
                );
                None
            }
            (None, _, _) => {
                let issuer = issuer?;
                let configuration = self.below_issuer(&at_uri, issuer, metadata_of)?;
                Some(JwksLocation::Discovery {
                    issuer: issuer.into(),
                    configuration,
                })
            }
        }
    }

    /// An address that is made from the issuer, if the issuer is one itself.
    fn below_issuer(
        &mut self,
        path: &str,
        issuer: &str,
        address: impl Fn(&str) -> String,
    ) -> Option<HttpUri> {
        let uri = HttpUri::parse(issuer)
            .ok()
            .filter(|_| !issuer.contains('?'))
            .and_then(|_| HttpUri::parse(&address(issuer)).ok());
        if uri.is_none() {
            let message = format!(
                "is missing, and the issuer {issuer:?} is no http(s) address without query and fragment to find it by; write the address of the issuer's key set"
            );
            self.error(path, message);
        }
        uri
    }
}

/// OpenID Connect Discovery 1.0, section 4.1: a slash at the issuer's end is not doubled.
fn metadata_of(issuer: &str) -> String {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{base}/.well-known/openid-configuration")
}
