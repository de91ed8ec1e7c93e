//! JSON, with places. Strict: no comments, no trailing commas, no member twice.

use super::flaw::Flaw;
use super::tree::{Kind, Member, Node, Quoting};
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Number, Value};
use std::collections::HashSet;
use std::rc::Rc;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads all of `text` as one JSON value. Places are bytes of `text`.
///
/// # Errors
/// The first thing that is not strict JSON.
pub(crate) fn parse(text: &str) -> Result<Rc<Node>, Flaw> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let range = error.range();
        let why = error.kind().to_string();
        let (first, rest) = why.split_at_checked(1).unwrap_or(("", &why));
        let message = format!("this is not JSON: {}{rest}", first.to_lowercase());
        Flaw::new(range.start..range.end, message, "mend the JSON here")
    })?;
    match parsed.value {
        Some(value) => node(value),
        None => Err(Flaw::new(
            0..text.len(),
            "there is nothing here",
            "write a policy: issuers and rules",
        )),
    }
}

fn node(value: ast::Value<'_>) -> Result<Rc<Node>, Flaw> {
    let range = value.range();
    let span = range.start..range.end;
    let kind = match value {
        ast::Value::NullKeyword(_) => Kind::Bare(Value::Null),
        ast::Value::BooleanLit(bool) => Kind::Bare(Value::Bool(bool.value)),
        ast::Value::NumberLit(number) => match number.value.parse::<Number>() {
            Ok(number) => Kind::Bare(Value::Number(number)),
            Err(error) => {
                let message = format!("this number can't be read: {error}");
                return Err(Flaw::new(span, message, "write it in quotes"));
            }
        },
        ast::Value::StringLit(string) => Kind::Text {
            text: string.value.into_owned(),
            quoting: Quoting::Double,
        },
        ast::Value::Array(array) => Kind::List(
            array
                .elements
                .into_iter()
                .map(node)
                .collect::<Result<_, _>>()?,
        ),
        ast::Value::Object(object) => {
            let mut seen = HashSet::new();
            let mut members = Vec::new();
            for property in object.properties {
                let key_range = property.name.range();
                let key_span = key_range.start..key_range.end;
                let key = property.name.into_string();
                if !seen.insert(key.clone()) {
                    return Err(Flaw::twice(key_span, &key));
                }
                let value = node(property.value)?;
                members.push(Member {
                    key,
                    key_span,
                    value,
                });
            }
            Kind::Map(members)
        }
    };
    Ok(Rc::new(Node { span, kind }))
}
