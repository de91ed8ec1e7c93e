//! Decisions as they show outside: in a gateway's log, in an answer, in what reached the upstream.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::client::Response;
use crate::upstream::Echo;

/// What begins a record, of a request or of a call that ends a session, wherever in a line of the log it stands.
const RECORD: &str = r#"{"event":"jobgate."#;

/// The decision record in a line of a gateway's log. Kong writes the request after it.
///
/// None, too, where the line was seen half-written.
pub(crate) fn in_line(line: &str) -> Option<&str> {
    let record = &line[line.find(RECORD)?..];
    let mut values = serde_json::Deserializer::from_str(record).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    record.get(..values.byte_offset())
}

/// The name of the decision: refusals tell it to the client, the rest to the upstream, under the policy's own prefix.
pub(crate) fn decision_id(response: &Response, forwarded: Option<&Echo>) -> Option<String> {
    // Its header's prefix is the policy's; the problem document names it the same everywhere.
    problem(response, "decision_id").or_else(|| {
        let headers = &forwarded?.headers;
        let (_, id) = headers
            .iter()
            .find(|(name, _)| name.ends_with("-decision-id"))?;
        Some(id.clone())
    })
}

/// A string member of the problem document that an answer is, if it is one.
pub(crate) fn problem(response: &Response, member: &str) -> Option<String> {
    let problem: Value = response.json().ok()?;
    Some(problem[member].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_where_it_ends() {
        let record = r#"{"event":"jobgate.decision","a":{"b":"}, client: \""}}"#;
        for line in [
            record.to_owned(),
            format!("[2026-01-01][info][wasm] wasm log x: {record}"),
            format!(
                r#"2026/01/01 [info] 7#0: *3 [proxy-wasm]["jobgate" #2] {record}, client: 10.0.0.1, request: "GET /""#
            ),
        ] {
            assert_eq!(in_line(&line), Some(record));
        }
        assert_eq!(in_line(&record[..record.len() - 1]), None);
        assert_eq!(in_line("{}"), None);
    }
}
