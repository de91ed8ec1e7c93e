//! What is revoked, and where the list of it is fetched.

use super::polling::{Terms, Written};
use super::{Checker, secs};
use crate::fetch::HttpUri;
use crate::policy::compiled::Issuer;
use crate::policy::raw::{RawRevocations, RawUnavailable};
use crate::revocation::{
    MAX_ENTRIES, Revocation, RevocationList, RevocationPolicy, RevocationSource, WhenUnavailable,
};
use serde_json::Value;

impl Checker {
    pub(super) fn revocations(
        &mut self,
        raw: Option<RawRevocations>,
        issuers: Option<&[Issuer]>,
    ) -> Option<RevocationPolicy> {
        let Some(mut raw) = raw else {
            return Some(RevocationPolicy::default());
        };
        let entries = self.entries(raw.entries.take(), raw.uri.is_some(), issuers);
        Some(RevocationPolicy {
            source: self.revocation_source(raw)?,
            entries,
        })
    }

    fn entries(
        &mut self,
        raw: Option<Vec<Value>>,
        has_uri: bool,
        issuers: Option<&[Issuer]>,
    ) -> RevocationList {
        if raw.is_none() && !has_uri {
            self.error(
                "revocations",
                "names nothing; write entries, or the uri of a list, or leave it out",
            );
        }
        let raw = raw.unwrap_or_default();
        if raw.len() > MAX_ENTRIES {
            let message = format!("has {} entries; at most {MAX_ENTRIES} are read", raw.len());
            self.error("revocations.entries", message);
            return RevocationList::default();
        }
        let mut entries = Vec::new();
        for (nth, raw) in raw.iter().enumerate() {
            let path = format!("revocations.entries[{nth}]");
            match Revocation::parse(raw) {
                Ok(entry) => {
                    if let (Some(name), Some(issuers)) = (entry.issuer(), issuers)
                        && !issuers.iter().any(|issuer| issuer.issuer == name)
                    {
                        let message = format!("{name:?} is no issuer of this policy");
                        self.error(format!("{path}.issuer"), message);
                    }
                    entries.push(entry);
                }
                Err(error) => {
                    let path = match &error.member {
                        Some(member) => format!("{path}.{member}"),
                        None => path,
                    };
                    self.error(path, error.message);
                }
            }
        }
        RevocationList::new(entries)
    }

    /// The source, if there is one; nothing at all after an error.
    fn revocation_source(&mut self, raw: RawRevocations) -> Option<Option<RevocationSource>> {
        let at = |field: &str| format!("revocations.{field}");
        let Some(uri) = raw.uri else {
            let needs_uri = [
                ("cluster", raw.cluster.is_some()),
                ("interval", raw.interval.is_some()),
                ("timeout", raw.timeout.is_some()),
                ("max_stale", raw.max_stale.is_some()),
                ("unavailable", raw.unavailable.is_some()),
            ];
            for (field, _) in needs_uri.into_iter().filter(|(_, written)| *written) {
                self.error(at(field), "says how a list is fetched, and there is no uri");
            }
            return Some(None);
        };
        let uri = self.ok(&at("uri"), HttpUri::parse(&uri));
        let written = Written {
            cluster: raw.cluster,
            refresh: raw.interval,
            timeout: raw.timeout,
            max_stale: raw.max_stale,
        };
        let terms = Terms {
            refresh: ("interval", secs(30), secs(5)..=secs(3_600)),
            max_stale: (secs(600), secs(5)..=secs(30 * 86_400)),
            dropped: "the list",
        };
        let polling = self.polling("revocations", written, terms);
        Some(Some(RevocationSource {
            uri: uri?,
            polling: polling?,
            unavailable: match raw.unavailable {
                None | Some(RawUnavailable::Deny) => WhenUnavailable::Deny,
                Some(RawUnavailable::Allow) => WhenUnavailable::Allow,
            },
        }))
    }
}
