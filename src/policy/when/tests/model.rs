//! The library's own interpreter as a model: on the same tree, both give the same value or none.

use super::*;
use cel::common::ast::IdedExpr;
use cel::objects::{Key, Map as CelMap, Value as CelValue};
use cel::{Context, parser::PrattParser};
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

/// What JSON is to the library: members that are null left out, as they are here.
fn to_model(json: &Value) -> CelValue {
    match json {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => number
            .as_i64()
            .map(CelValue::Int)
            .or_else(|| number.as_u64().map(CelValue::UInt))
            .or_else(|| number.as_f64().map(CelValue::Float))
            .unwrap(),
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(to_model).collect())),
        Value::Object(members) => map_to_model(members),
    }
}

fn map_to_model(members: &Map<String, Value>) -> CelValue {
    let map: HashMap<Key, CelValue> = members
        .iter()
        .filter(|(_, member)| !member.is_null())
        .map(|(name, member)| (Key::String(Arc::new(name.clone())), to_model(member)))
        .collect();
    CelValue::Map(CelMap { map: Arc::new(map) })
}

fn parse(source: &str) -> IdedExpr {
    PrattParser::new()
        .enable_ident_escape_syntax(true)
        .parse(source)
        .unwrap_or_else(|error| panic!("{source}: {error}"))
}

/// The truth value the library's interpreter gives; nothing where it gives none.
fn model(source: &str, claims: &Map<String, Value>) -> Option<bool> {
    let mut context = Context::default();
    context.add_variable_from_value("claims", map_to_model(claims));
    context.add_variable_from_value("roles", to_model(&json!(["deployer", "reader"])));
    context.add_variable_from_value(
        "request",
        to_model(&json!({
            "method": "POST",
            "path": "/deploy/production/web",
            "host": "deploy.acme.example",
            "route": "deploy",
            "service": "web"
        })),
    );
    match CelValue::resolve(&parse(source), &context) {
        Ok(CelValue::Bool(value)) => Some(value),
        _ => None,
    }
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3_i64..4).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(i64::MAX), json!(i64::MIN), json!(u64::MAX)]),
        1 => prop::sample::select(vec![json!(0.5), json!(1.0), json!(-2.0), json!(1e15)]),
    ]
}

fn text() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["", "a", "ab", "b", "é", "deployer", "1", "true"])
        .prop_map(Value::from)
}

/// A claim's value, of any type but a map. No number that is rounded: the library does not know of those.
fn json_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text()
    ];
    scalar.prop_recursive(2, 8, 3, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Value::from)
    })
}

/// A number, a text, a list and a map, and two that can be anything; rarely one is anything or not there.
fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let list = prop_oneof![
        prop::collection::vec(number(), 0..4),
        prop::collection::vec(text(), 0..4),
        prop::collection::vec(json_value(), 0..4),
    ]
    .prop_map(Value::from);
    // One member at most: the library goes through a map in no order.
    let map = prop::collection::btree_map("[ab]", json_value(), 0..2)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    let mostly = |usual: BoxedStrategy<Value>| {
        prop_oneof![
            14 => usual.prop_map(Some),
            1 => json_value().prop_map(Some),
            1 => Just(None),
        ]
    };
    (
        mostly(number().boxed()),
        mostly(text().boxed()),
        mostly(list.boxed()),
        mostly(map.boxed()),
        mostly(json_value().boxed()),
        mostly(json_value().boxed()),
    )
        .prop_map(|(n, t, l, m, a, b)| {
            [("n", n), ("t", t), ("l", l), ("m", m), ("a", a), ("b", b)]
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        })
}

/// Expressions that mostly are of a type.
#[derive(Clone, Debug)]
struct Sources {
    number: BoxedStrategy<String>,
    text: BoxedStrategy<String>,
    list: BoxedStrategy<String>,
    /// Apart from what is of any type: the library adds a map's keys to a list, which CEL does not.
    map: BoxedStrategy<String>,
    truth: BoxedStrategy<String>,
    /// Of any type.
    any: BoxedStrategy<String>,
}

fn leaves(locals: &'static [&'static str]) -> Sources {
    let picked = |items: &'static [&'static str]| {
        let items = prop::sample::select(items).prop_map(String::from);
        match locals {
            [] => items.boxed(),
            _ => prop_oneof![2 => items, 1 => prop::sample::select(locals).prop_map(String::from)]
                .boxed(),
        }
    };
    let any = picked(&[
        "claims.a",
        "claims[\"b\"]",
        "claims.a.b",
        "claims.b[0]",
        "claims.m.a",
        "claims.l[1]",
        "claims.`t`",
        "null",
        "claims.n",
        "claims.l",
        "''",
    ]);
    // Now and then one of any type.
    let mostly = |usual: BoxedStrategy<String>| prop_oneof![12 => usual, 1 => any.clone()].boxed();
    Sources {
        number: mostly(picked(&[
            "claims.n",
            "0",
            "1",
            "-1",
            "2",
            "3u",
            "0u",
            "0.5",
            "1.0",
            "-2.0",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615u",
        ])),
        text: mostly(picked(&[
            "claims.t",
            "''",
            "'a'",
            "'ab'",
            "'é'",
            "'1'",
            "request.method",
            "request.path",
        ])),
        list: mostly(picked(&[
            "claims.l",
            "[]",
            "[1, 'a']",
            "[1, 2u, 0.5]",
            "['a', 'b']",
            "roles",
            "[[1], ['a']]",
        ])),
        map: picked(&[
            "claims.m", "{}", "{'a': 1}", "{1: 'a'}", "claims.m", "claims.l",
        ]),
        truth: mostly(picked(&[
            "true",
            "false",
            "has(claims.n)",
            "has(claims.m.a)",
            "'a' in claims",
            "'deployer' in roles",
            "claims.n == 1",
            "claims.t != 'a'",
        ])),
        any,
    }
}

/// Two operands and what stands before, between and after them.
fn pair(
    (before, between, after): (&'static str, Vec<&'static str>, &'static str),
    left: &BoxedStrategy<String>,
    right: &BoxedStrategy<String>,
) -> BoxedStrategy<String> {
    (left.clone(), prop::sample::select(between), right.clone())
        .prop_map(move |(left, between, right)| {
            format!("{before}({left}){between}({right}){after}")
        })
        .boxed()
}

fn sources(depth: u32, locals: &'static [&'static str]) -> Sources {
    let leaf = leaves(locals);
    let Some(less) = depth.checked_sub(1) else {
        return leaf;
    };
    let of = sources(less, locals);
    let (variable, bound): (&str, &'static [&str]) = match locals {
        [] => ("x", &["x"]),
        ["x"] => ("y", &["x", "y"]),
        _ => return leaf,
    };
    let inner = sources(less.min(1), bound);
    let one = |before: Vec<&'static str>, operand: &BoxedStrategy<String>, after: &'static str| {
        (prop::sample::select(before), operand.clone())
            .prop_map(move |(before, operand)| format!("{before}({operand}){after}"))
            .boxed()
    };
    let range = prop_oneof![3 => of.list.clone(), 1 => of.map.clone()].boxed();
    let looped = |names: Vec<&'static str>, body: &BoxedStrategy<String>| {
        (range.clone(), prop::sample::select(names), body.clone())
            .prop_map(move |(range, name, body)| format!("({range}).{name}({variable}, {body})"))
            .boxed()
    };
    let choice = |of_type: &BoxedStrategy<String>| {
        (of.truth.clone(), of_type.clone(), of_type.clone())
            .prop_map(|(test, yes, no)| format!("({test}) ? ({yes}) : ({no})"))
            .boxed()
    };
    let arithmetic = || ("", vec!["+", "-", "*", "/", "%"], "");
    let order = || ("", vec!["==", "!=", "<", "<=", ">", ">="], "");
    let equality = || ("", vec!["==", "!="], "");
    // Not `double`: integers of 2^53 and more it rounds, and the library compares them with integers after
    // rounding those too. Here they are compared exactly, as CEL says.
    Sources {
        number: prop_oneof![
            2 => leaf.number,
            4 => pair(arithmetic(), &of.number, &of.number),
            1 => one(vec!["-", "int", "uint"], &of.number, ""),
            1 => one(vec!["int", "uint", "size"], &of.text, ""),
            1 => one(vec!["size"], &range, ""),
            1 => pair(("", vec!["["], "]"), &of.list, &of.number),
            1 => pair(("", vec!["["], "]"), &of.map, &of.text),
            1 => choice(&of.number),
        ]
        .boxed(),
        text: prop_oneof![
            3 => leaf.text,
            2 => pair(("", vec!["+"], ""), &of.text, &of.text),
            1 => one(vec!["string"], &of.number, ""),
            1 => one(vec!["string"], &of.truth, ""),
            1 => choice(&of.text),
        ]
        .boxed(),
        list: prop_oneof![
            2 => leaf.list,
            1 => pair(("", vec!["+"], ""), &of.list, &of.list),
            1 => looped(vec!["map"], &inner.number),
            1 => looped(vec!["map"], &inner.any),
            1 => looped(vec!["filter"], &inner.truth),
            1 => (range.clone(), inner.truth.clone(), inner.text.clone())
                .prop_map(move |(range, test, item)| {
                    format!("({range}).map({variable}, {test}, {item})")
                }),
            1 => pair(("[", vec![", "], "]"), &of.any, &of.text),
        ]
        .boxed(),
        map: prop_oneof![
            2 => leaf.map,
            1 => pair(("{", vec![": "], "}"), &of.text, &of.any),
            1 => pair(("{", vec![": "], "}"), &of.number, &of.any),
        ]
        .boxed(),
        truth: prop_oneof![
            1 => leaf.truth,
            2 => pair(order(), &of.number, &of.number),
            1 => pair(order(), &of.text, &of.text),
            1 => pair(order(), &of.truth, &of.truth),
            1 => pair(equality(), &of.list, &of.list),
            1 => pair(equality(), &of.map, &of.map),
            1 => pair(equality(), &of.any, &of.any),
            1 => pair(("", vec![" in "], ""), &of.number, &range),
            1 => pair(("", vec![" in "], ""), &of.text, &range),
            4 => pair(("", vec!["&&", "||"], ""), &of.truth, &of.truth),
            1 => pair(("", vec![".contains", ".startsWith", ".endsWith"], ""), &of.text, &of.text),
            2 => looped(vec!["all", "exists", "exists_one"], &inner.truth),
            1 => one(vec!["!"], &of.truth, ""),
            1 => one(vec!["bool"], &of.text, ""),
            1 => one(vec!["has("], &of.map, ".a)"),
            1 => choice(&of.truth),
        ]
        .boxed(),
        any: prop_oneof![of.number, of.text, of.list, of.truth, leaf.any].boxed(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn values_are_those_of_the_library(source in sources(3, &[]).truth, claims in claims()) {
        // A type that is known to be wrong is refused at once, which the library does not do.
        let Ok(when) = When::compile(&source) else { return Ok(()) };
        let found = with_claims(&claims, false, |environment| when.eval(environment));
        // Fuel is ours alone.
        if found != Err(WhenError::TooCostly) {
            prop_assert_eq!(found.clone().ok(), model(&source, &claims), "{} {:?}", source, found);
        }
    }
}
