//! What must be in no log and in no refusal, whichever test wrote it.

/// Parts of secrets that the tests' policies and servers use.
const SECRETS: [&str; 5] = [
    "hush-hush",
    "credential-of-the-upstreams-world",
    // The private halves of the keys of RFC 7515, appendix A.3, and of RFC 8037, appendix A.1.
    "jpsQnnGQmL",
    "nWGxne_9WmC",
    "IJ1hsZ3v",
];

/// The first secret in a text: a compact JWS, such as jobs' tokens and assertions are, or one of the tests' own.
pub(crate) fn secret_in(text: &str) -> Option<&str> {
    let jws = text.match_indices("eyJ").find_map(|(start, _)| {
        let rest = text.get(start..)?;
        let is_of_jws =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.' | '=');
        let end = rest.find(|it| !is_of_jws(it)).unwrap_or(rest.len());
        let run = rest.get(..end)?;
        let mut parts = run.splitn(3, '.').map(str::len);
        let is_long = |length: Option<usize>| length.is_some_and(|it| it > 8);
        (is_long(parts.next()) && is_long(parts.next()) && is_long(parts.next())).then_some(run)
    });
    jws.or_else(|| SECRETS.into_iter().find(|secret| text.contains(secret)))
}

/// Ends a test that a secret was found in, once it is over.
///
/// # Panics
///
/// If there is one, and the test has not failed already.
pub(crate) fn assert_none(what: &str, found: Option<&str>) {
    if let Some(secret) = found.filter(|_| !std::thread::panicking()) {
        panic!("a secret is in {what}: {secret}");
    }
}

#[cfg(test)]
mod tests {
    use super::secret_in;

    #[test]
    fn a_token_and_a_secret_are_found_and_what_is_none_is_not() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl";
        for (text, expected) in [
            (format!("x {token} y"), Some(token)),
            (format!("Bearer%20{token}"), Some(token)),
            ("the secret is hush-hush-1".to_owned(), Some("hush-hush")),
            ("eyJhbGciOiJSUzI1NiJ9 alone".to_owned(), None),
            ("eyJ.eyJ.x and key".to_owned(), None),
        ] {
            assert_eq!(secret_in(&text), expected, "{text}");
        }
    }
}
