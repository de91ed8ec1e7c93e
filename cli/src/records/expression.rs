//! What of a request an expression of a `when` looks at, and whether a record tells it.

use super::seen::{Seen, Value};
use jobgate::policy::ClaimName;
use jobgate::policy::when::When;
use std::collections::BTreeSet;

/// What an expression may look at, from the words of its source. Those in its texts count too, so that nothing
/// depends on where texts end.
struct Looks {
    /// Claims whose name it computes, or all of them.
    at_any_claim: bool,
    at_roles: bool,
    at_host: bool,
    at_service: bool,
}

impl Looks {
    fn of(source: &str) -> Self {
        let mut looks = Self {
            at_any_claim: false,
            at_roles: false,
            at_host: false,
            at_service: false,
        };
        let mut rest = source;
        while let Some(start) = rest.find(is_word) {
            rest = &rest[start..];
            let end = rest.find(|each| !is_word(each)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            looks.at_any_claim |= word == "claims" && !names_claim(after.trim_start());
            looks.at_roles |= word == "roles";
            looks.at_host |= word == "host";
            looks.at_service |= word == "service";
            rest = after;
        }
        looks
    }
}

const fn is_word(each: char) -> bool {
    each.is_ascii_alphanumeric() || each == '_'
}

/// Whether what follows `claims` is a name: `.name`, and no call of a function, or `["name"]`.
fn names_claim(after: &str) -> bool {
    if let Some(name) = after.strip_prefix('.') {
        let name = name.trim_start();
        let rest = name.trim_start_matches(is_word);
        return rest.len() < name.len() && !rest.trim_start().starts_with('(');
    }
    let index = after.strip_prefix('[').map(str::trim_start);
    index.is_some_and(|index| {
        let quote = index
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''));
        let text = quote.and_then(|quote| index[1..].split_once(quote));
        text.is_some_and(|(name, rest)| !name.contains('\\') && rest.trim_start().starts_with(']'))
    })
}

/// What an expression looks at and the record doesn't tell. `tells_roles` is whether it tells all roles.
pub(super) fn untold(when: &When, seen: &Seen<'_>, tells_roles: bool) -> BTreeSet<String> {
    let looks = Looks::of(when.source());
    let record = seen.record;
    let service =
        record.service.is_some() || seen.maker.is_some_and(|policy| policy.needs().service);
    let mut missing = BTreeSet::new();
    for (is_missing, what) in [
        (looks.at_any_claim, "claims"),
        (looks.at_roles && !tells_roles, "roles"),
        (looks.at_host && record.host.is_none(), "host"),
        (looks.at_service && !service, "service"),
    ] {
        if is_missing {
            missing.insert(what.to_owned());
        }
    }
    for name in when.claims_read() {
        // Expressions tell numbers from texts.
        if let Value::Unknown | Value::Text(_) = seen.claim(&ClaimName::whole(name)) {
            missing.insert(format!("claims.{name}"));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::Looks;

    #[test]
    fn what_an_expression_could_look_at_is_seen() {
        for (source, expected) in [
            ("claims.a == 'x' && claims [ \"b/c\" ] != 'y'", [false; 4]),
            ("has(claims.a.b) && request.path == '/'", [false; 4]),
            ("claims[request.method] == 1", [true, false, false, false]),
            (
                "claims['a' + request.method] == 1",
                [true, false, false, false],
            ),
            ("'a' in claims", [true, false, false, false]),
            (
                "claims.exists(name, name == 'a')",
                [true, false, false, false],
            ),
            (
                "[claims].all(each, each.a == 1)",
                [true, false, false, false],
            ),
            ("r'\\' == claims", [true, false, false, false]),
            ("'x' in roles", [false, true, false, false]),
            (
                "request.host == request.service",
                [false, false, true, true],
            ),
        ] {
            let looks = Looks::of(source);
            let found = [
                looks.at_any_claim,
                looks.at_roles,
                looks.at_host,
                looks.at_service,
            ];
            assert_eq!(found, expected, "{source}");
        }
    }
}
