//! Bodies of type `application/x-www-form-urlencoded`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};

/// The parameters by their names; none where the body is no form or repeats a parameter (RFC 6749, section 3.2).
pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Option<BTreeMap<String, String>> {
    if headers.get(header::CONTENT_TYPE)? != "application/x-www-form-urlencoded" {
        return None;
    }
    let mut form = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body).into_owned() {
        // A parameter without a value counts as left out.
        if !value.is_empty() && form.insert(name, value).is_some() {
            return None;
        }
    }
    Some(form)
}

/// One value, decoded.
pub(super) fn decoded(text: &str) -> Option<String> {
    if text.contains('&') {
        return None;
    }
    let form = format!("value={text}");
    let mut values = form_urlencoded::parse(form.as_bytes());
    let (_, value) = values.next()?;
    Some(Cow::into_owned(value))
}
