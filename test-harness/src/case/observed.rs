//! What came of a request, and how it differs from what had to.

use serde_json::Value;

use super::{Expect, Host, Placeholders, template};

/// What a runner saw of one request.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The status that the client got.
    pub status: u16,
    /// The problem document's `code`, if the answer was one.
    pub code: Option<String>,
    /// What reached the upstream, if anything did.
    pub upstream: Option<Forwarded>,
    /// The decision record, as the gate logged it.
    pub record: String,
}

/// A request as the upstream saw it.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    /// The request target.
    pub target: String,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Expect {
    /// Everything in which what was seen differs from what was expected.
    ///
    /// Beside the case's own expectations it looks at what must hold always: that a refused request did not reach the
    /// upstream, that a request that did carries the gate's decision, and that the record is whole and free of the token.
    pub fn differences(
        &self,
        seen: &Observed,
        token: Option<&str>,
        with: &Placeholders,
        host: Host,
    ) -> Vec<String> {
        let mut found = Differences::default();
        found.compare("status", &self.status, &seen.status);
        let record: Value = serde_json::from_str(&seen.record).unwrap_or_default();
        let text = |name: &str| record[name].as_str().map(str::to_owned);
        found.compare(
            "the record's event",
            &Some("jobgate.decision".to_owned()),
            &text("event"),
        );
        found.compare(
            "the record's decision",
            &Some(self.decision.to_string()),
            &text("decision"),
        );
        found.compare("the record's reason", &self.reason, &text("reason"));
        if self.rule.is_some() {
            found.compare("the record's rule", &self.rule, &text("rule"));
        }
        let rules = |rules: &Value| -> Vec<String> {
            let rules = rules.as_array().into_iter().flatten();
            rules
                .filter_map(|rule| Some(rule.as_str()?.to_owned()))
                .collect()
        };
        let trial = record.get("trial").map(|trial| {
            let decision = trial["decision"].as_str().unwrap_or_default();
            (decision.to_owned(), rules(&trial["rules"]))
        });
        let expected = self.trial.as_ref();
        let expected = expected.map(|(decision, rules)| (decision.to_string(), rules.clone()));
        found.compare("the record's trial", &expected, &trial);
        if let Some(detail) = &self.detail {
            let detail = template::fill_text(detail, with);
            found.require(seen.record.contains(&detail), || {
                format!("the record lacks {detail}")
            });
        }
        if let Some(signature) = token
            .and_then(|token| token.rsplit_once('.'))
            .map(|(_, signature)| signature)
        {
            let leaks = signature.len() > 8 && seen.record.contains(signature);
            found.require(!leaks, || {
                "the record holds the token's signature".to_owned()
            });
        }
        match (&seen.upstream, self.status) {
            (None, 400..) => found.compare("the answer's code", &self.reason, &seen.code),
            (Some(_), 400..) => found.require(false, || {
                "a refused request reached the upstream".to_owned()
            }),
            (None, _) => found.require(false, || {
                "the request did not reach the upstream".to_owned()
            }),
            (Some(forwarded), _) => self.look_upstream(forwarded, with, host, &mut found),
        }
        found.0
    }

    fn look_upstream(
        &self,
        forwarded: &Forwarded,
        with: &Placeholders,
        host: Host,
        found: &mut Differences,
    ) {
        let values = |name: &str| -> Vec<String> {
            forwarded
                .headers
                .iter()
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
                .collect()
        };
        for (name, value) in &self.upstream {
            let value = template::fill_text(value, with);
            found.compare(
                &format!("the upstream's {name}"),
                &vec![value],
                &values(name),
            );
        }
        for name in &self.upstream_absent {
            // Where a header cannot be removed, an empty one is all that may be left of it.
            let arrived: Vec<_> = values(name)
                .into_iter()
                .filter(|value| host != Host::Kong || !value.is_empty())
                .collect();
            found.compare(&format!("the upstream's {name}"), &Vec::new(), &arrived);
        }
        if let Some(path) = &self.path {
            found.compare("the upstream's path", path, &forwarded.target);
        }
    }
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }

    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: &T, seen: &T) {
        self.require(expected == seen, || {
            format!("{what}: expected {expected:?}, saw {seen:?}")
        });
    }
}
