//! Documents that are fetched in a way that anybody between can change.

use super::Analysis;
use crate::fetch::HttpUri;
use crate::keys::JwksLocation;

pub(super) fn find(analysis: &mut Analysis<'_>) {
    let policy = analysis.policy;
    for (place, issuer) in policy.issuers.iter().enumerate() {
        let uri = issuer.jwks.as_ref().map(|jwks| match &jwks.location {
            JwksLocation::Address(uri) => uri,
            JwksLocation::Discovery { configuration, .. } => configuration,
        });
        if let Some(uri) = uri.filter(|uri| is_open(uri)) {
            analysis.warn("fetched-over-http", &format_args!("issuers[{place}].jwks.uri"), &format_args!(
                    "keys are fetched from {uri} and nothing proves them: whoever can answer in that server's place can sign tokens for every job"
                ), &"use https, or go through a sidecar on the gateway's own host");
        }
    }
    let revocations = policy.revocations.source.as_ref();
    if let Some(uri) = revocations
        .map(|source| &source.uri)
        .filter(|uri| is_open(uri))
    {
        analysis.warn("fetched-over-http", &"revocations.uri", &format_args!(
                "revocations are fetched from {uri} and nothing proves them: whoever can answer in that server's place can leave some out"
            ), &"use https, or go through a sidecar on the gateway's own host");
    }
}

/// Whether it is fetched over http from another host than the gateway's own.
fn is_open(uri: &HttpUri) -> bool {
    let server = uri.host_and_port();
    let host = server.rsplit_once(':').map_or(&*server, |(host, _)| host);
    uri.to_string().starts_with("http://")
        && !matches!(host, "localhost" | "[::1]")
        && !host.starts_with("127.")
}
