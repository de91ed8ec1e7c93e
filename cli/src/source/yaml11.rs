//! What YAML 1.1 reads in another way than YAML 1.2.
//!
//! Most libraries read 1.1 or a mixture, so what a policy's value becomes would depend on the tool that carries it
//! to the gateway. <https://yaml.org/type/bool.html>, <https://yaml.org/type/int.html>

use super::flaw::Flaw;
use super::tree::{Kind, Node, Quoting, Span};

/// What of a document can be read in two ways, each with its place.
pub(super) fn doubts(file: &str, node: &Node) -> Vec<Flaw> {
    let mut all = Vec::new();
    collect(file, node, &mut all);
    // An alias brings the same place again.
    all.sort_by_key(|doubt: &Flaw| doubt.span.start);
    all.dedup();
    all
}

fn collect(file: &str, node: &Node, all: &mut Vec<Flaw>) {
    match &node.kind {
        Kind::Bare(_)
        | Kind::Text {
            quoting: Quoting::Plain,
            ..
        } => {
            all.extend(doubt(file, &node.span));
        }
        Kind::Text { .. } => {}
        Kind::List(items) => items.iter().for_each(|item| collect(file, item, all)),
        Kind::Map(members) => {
            for member in members {
                // A quoted name's place begins with its quote, and so is none of these.
                all.extend(doubt(file, &member.key_span));
                collect(file, &member.value, all);
            }
        }
    }
}

fn doubt(file: &str, span: &Span) -> Option<Flaw> {
    let written = file.get(span.clone())?;
    let (ours, theirs) = readings(written)?;
    Some(Flaw::new(
        span.clone(),
        format!(
            "`{written}` is {ours} in YAML 1.2 and {theirs} in YAML 1.1, which many tools read"
        ),
        "write it in quotes, or as what is meant",
    ))
}

/// What each version takes a plain scalar for, where they differ.
fn readings(written: &str) -> Option<(&'static str, &'static str)> {
    let unsigned = written.strip_prefix(['-', '+']).unwrap_or(written);
    let is = |allowed: fn(char) -> bool| unsigned.chars().all(allowed);
    let begins_with_digit = unsigned.starts_with(|first: char| first.is_ascii_digit());
    let is_word = |word: &&str| {
        let (first, rest) = word.split_at(1);
        [
            word.to_string(),
            word.to_uppercase(),
            first.to_uppercase() + rest,
        ]
        .contains(&written.to_owned())
    };
    if ["y", "yes", "on", "n", "no", "off"].iter().any(is_word) {
        return Some(("a text", "a boolean"));
    }
    if unsigned.len() > 1 && unsigned.starts_with('0') && is(|digit| digit.is_digit(8)) {
        return Some(("a number to the base of ten", "one to the base of eight"));
    }
    if unsigned.starts_with("0o")
        && super::scalar::resolve(written).is_ok_and(|value| value.is_some())
    {
        return Some(("a number", "a text"));
    }
    let in_base_two = unsigned.strip_prefix("0b").is_some_and(|digits| {
        !digits.is_empty() && digits.chars().all(|digit| matches!(digit, '0' | '1' | '_'))
    });
    let has_underscores = begins_with_digit
        && written.contains('_')
        && is(|c| c.is_ascii_digit() || matches!(c, '_' | '.'));
    let is_sexagesimal = begins_with_digit
        && unsigned.split(':').count() > 1
        && unsigned.split(':').skip(1).all(|part| {
            let whole = part.split('.').next().unwrap_or_default();
            matches!(whole.len(), 1 | 2) && whole.parse::<u8>().is_ok_and(|part| part < 60)
        })
        && is(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | '_'));
    (in_base_two || has_underscores || is_sexagesimal).then_some(("a text", "a number"))
}

#[cfg(test)]
mod tests {
    use super::readings;

    #[test]
    fn what_the_versions_read_alike_is_no_doubt() {
        for written in [
            "no",
            "No",
            "NO",
            "y",
            "N",
            "on",
            "OFF",
            "010",
            "-017",
            "00",
            "0o17",
            "0b1",
            "-0b1_0",
            "1_000",
            "1_0.5",
            "1:30",
            "190:20:30",
            "190:20:30.15",
        ] {
            assert!(readings(written).is_some(), "{written}");
        }
        for written in [
            "true",
            "False",
            "nO",
            "yEs",
            "main",
            "none",
            "0",
            "10",
            "-1",
            "1.5",
            "08",
            "0x1f",
            "_1",
            "1:x",
            "v1_0",
            "30s",
            "10.0.0.1:443",
            "1:60",
            "a:1",
            "",
            "~",
            "https://x",
            "\"no\"",
            "'010'",
            "2027-01-15T08:00:00Z",
            "build_1",
        ] {
            assert!(readings(written).is_none(), "{written}");
        }
    }
}
