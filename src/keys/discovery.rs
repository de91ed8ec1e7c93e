//! OpenID Connect Discovery 1.0: the issuer's metadata tells where its keys are.

use crate::fetch::{Cause, FetchError, HttpUri};
use crate::json;
use serde_json::Value;

/// The largest metadata document that is read, in bytes.
pub(super) const MAX_METADATA_BYTES: usize = 64 * 1024;

/// The key set's address, from a metadata document.
///
/// Its `issuer` must be the one that was asked, byte for byte (section 4.3): else whoever serves one issuer's
/// metadata could name keys for another. And `https` leads to `https` only.
pub(super) fn jwks_uri(
    document: &[u8],
    issuer: &str,
    configuration: &HttpUri,
) -> Result<HttpUri, FetchError> {
    let refuse = |detail: String| FetchError::new(Cause::Parse, detail);
    let metadata = json::parse(document).map_err(|_| {
        refuse("the issuer's metadata is not JSON that can be read in one way only".into())
    })?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(refuse(format!(
            "the metadata is that of another issuer than {issuer:?}; they must be equal byte for byte"
        )));
    }
    let uri =
        text("jwks_uri").ok_or_else(|| refuse("the issuer's metadata has no jwks_uri".into()))?;
    let uri = HttpUri::parse(uri)
        .map_err(|why| refuse(format!("the metadata's jwks_uri can't be used: {why}")))?;
    if configuration.scheme == "https" && uri.scheme != "https" {
        return Err(refuse(
            "the metadata came by https and its jwks_uri is not https".into(),
        ));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_issuers_own_metadata_names_its_keys() {
        let address =
            HttpUri::parse("https://ci.example/.well-known/openid-configuration").unwrap();
        let read = |document: &str| jwks_uri(document.as_bytes(), "https://ci.example", &address);
        let good = read(r#"{"issuer":"https://ci.example","jwks_uri":"https://keys.example/k"}"#);
        assert_eq!(good.unwrap().to_string(), "https://keys.example/k");
        for (document, why) in [
            ("<html>", "not JSON"),
            (r#"{"jwks_uri":"https://ci.example/k"}"#, "another issuer"),
            (
                r#"{"issuer":"https://ci.example/","jwks_uri":"https://ci.example/k"}"#,
                "another issuer",
            ),
            (
                r#"{"issuer":"https://evil.example","jwks_uri":"https://ci.example/k"}"#,
                "another issuer",
            ),
            (
                r#"{"issuer":"https://evil.example","issuer":"https://ci.example","jwks_uri":"https://k"}"#,
                "one way",
            ),
            (r#"{"issuer":"https://ci.example"}"#, "no jwks_uri"),
            (
                r#"{"issuer":"https://ci.example","jwks_uri":"http://ci.example/k"}"#,
                "not https",
            ),
            (
                r#"{"issuer":"https://ci.example","jwks_uri":"file:///etc/keys"}"#,
                "can't be used",
            ),
        ] {
            let error = read(document).unwrap_err();
            assert_eq!(error.cause, Cause::Parse);
            assert!(
                error.detail.contains(why),
                "{} for {document}",
                error.detail
            );
        }
    }
}
