//! What is hostile or odd ends with an error, within its bounds.

use super::*;
use crate::policy::when::scan::MAX_DEPTH;
use proptest::prelude::*;
use serde_json::json;

/// A stack smaller than any that the filter or a test has.
const STACK: usize = 512 * 1024;

fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap()
}

fn claims() -> Map<String, Value> {
    let list: Vec<u32> = (0..3000).collect();
    let value = json!({"x": 1, "t": true, "list": list, "text": "a".repeat(8000)});
    value.as_object().unwrap().clone()
}

/// Shapes that grow with a count: before it, what repeats, in the middle, what repeats, at the end.
const SHAPES: [(&str, &str, &str, &str, &str); 21] = [
    ("", "(", "claims.t", ")", ""),
    ("", "(claims.t && ", "claims.t", ")", ""),
    ("", "!(", "claims.t", ")", ""),
    ("", "!-", "claims.t", "", ""),
    ("", "!", "claims.t", "", ""),
    ("claims.x == ", "-", "1", "", ""),
    ("claims.x == ", "1+", "1", "", ""),
    ("claims.x == ", "1+-", "1", "", ""),
    ("", "claims.t?claims.t:", "claims.t", "", ""),
    ("", "claims.t?(", "claims.t", "):claims.t", ""),
    ("claims", "", "", ".x", " == 1"),
    ("claims", "", "", "[0]", " == 1"),
    ("claims.x", "", "", ".size()", " == 1"),
    ("1 in ", "[", "1", "]", ""),
    ("1 in ", "{1:", "1", "}", ""),
    ("claims.x == ", "size(", "1", ")", ""),
    ("claims.x == ", "claims[", "1", "]", ""),
    ("", "[1].all(x, ", "claims.t", ")", ""),
    ("[1]", "", "", ".map(x, [x])", " == []"),
    ("", "claims.t == ", "claims.t", "", ""),
    ("", "(claims.t||claims.t)==", "claims.t", "", ""),
];

fn shape((begin, before, middle, after, end): (&str, &str, &str, &str, &str), n: usize) -> String {
    let (before, after) = (before.repeat(n), after.repeat(n));
    [begin, &before, middle, &after, end].concat()
}

#[test]
fn what_is_deep_is_refused_before_it_can_overflow_a_stack() {
    on_a_small_stack(|| {
        for parts in SHAPES {
            let mut refused = 0;
            for count in 1..4096 {
                let source = shape(parts, count);
                if source.len() > MAX_SOURCE_BYTES {
                    break;
                }
                match When::compile(&source) {
                    Ok(when) => {
                        assert!(count <= MAX_DEPTH, "{source}");
                        let _ = with_claims(&claims(), false, |environment| when.eval(environment));
                    }
                    Err(_) => refused += 1,
                }
            }
            assert!(refused > 0, "{}", shape(parts, 3));
        }
    });
}

#[test]
fn what_is_long_or_has_many_parts_is_refused() {
    let error = |source: &str| When::compile(source).unwrap_err();
    let long = format!("claims.x == \"{}\"", "a".repeat(MAX_SOURCE_BYTES));
    assert!(
        error(&long).starts_with("has 4110 bytes; at most 4096"),
        "{long}"
    );
    let longest = format!("\"{}\" in claims", "a".repeat(MAX_SOURCE_BYTES - 12));
    assert_eq!(longest.len(), MAX_SOURCE_BYTES);
    assert!(When::compile(&longest).is_ok());
    let many = |count| format!("claims.x in [{}]", "1,".repeat(count));
    assert!(When::compile(&many(MAX_PARTS - 4)).is_ok());
    assert!(error(&many(MAX_PARTS - 3)).contains("more than 1000 parts"));
    // A long chain of && and || is no deep one.
    let flat = vec!["claims.x == 1"; 200].join(" || ");
    assert!(When::compile(&flat).is_ok());
}

#[test]
fn what_costs_too_much_ends() {
    // Each level holds the one before it four times: small in memory, and 4^8 elements to compare.
    let shared = format!("[[1]{}].all(y, y == y)", ".map(x, [x, x, x, x])".repeat(8));
    let loops = |depth: usize| {
        let open: String = (0..depth)
            .map(|level| format!("claims.list.all(x{level}, "))
            .collect();
        format!("{open}true{}", ")".repeat(depth))
    };
    let texts = "claims.list.all(i, claims.text.contains('b') == false)";
    let concatenated = format!(
        "size(claims.list.map(i, claims.text{})) > 0",
        " + claims.text".repeat(20)
    );
    let sums = format!("size(claims.list{}) > 0", " + claims.list".repeat(20));
    let keys = "claims.list.all(i, claims.exists(k, k == 'nothing') == false)";
    for source in [
        &shared as &str,
        &loops(2),
        &loops(5),
        texts,
        &concatenated,
        &sums,
        keys,
        "claims.list.all(i, claims.list == claims.list)",
        "claims.list.exists(i, i in claims.list && false)",
        "claims.list.exists_one(i, [1, 2, 3, 4].exists(j, j == i))",
        "claims.list.filter(i, i > 0).map(i, string(i)) == []",
        // No side decides where the other gave up.
        "claims.list.all(i, claims.list == claims.list) || true",
        "claims.list.all(i, claims.list == claims.list) && false",
        "[1].exists(x, claims.list.all(i, claims.list == claims.list) || true)",
        "claims.list.exists(i, claims.list.all(j, i * j >= 0)) || claims.t",
    ] {
        assert_eq!(
            eval(source, &claims(), false),
            Err(WhenError::TooCostly),
            "{source}"
        );
    }
    // What is decided before it costs anything is decided.
    assert_eq!(
        eval(&format!("claims.t || {}", loops(3)), &claims(), false),
        Ok(true)
    );
}

/// Pieces of the language, and what is near to it.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "claims",
        "roles",
        "now",
        "request",
        "x",
        ".",
        ".?",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "?",
        "==",
        "!=",
        "<",
        "<=",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        " in ",
        " ",
        "\n",
        "\r\n",
        "1",
        "0x",
        "0xffffffffffffffff",
        "-9223372036854775808",
        "1u",
        "1.5",
        "1e",
        "1e999",
        ".5",
        "'a'",
        "\"",
        "'''",
        "r'\\'",
        "b'",
        "br\"\"\"",
        "'\\x4'",
        "'\\ud800'",
        "'\\U0010FFFF'",
        "'\\400'",
        "`",
        "`a/b`",
        "``",
        "é",
        "\u{0}",
        "//",
        "has(",
        ".all(x,",
        ".exists(x,",
        ".map(",
        ".filter(x,",
        ".exists_one(",
        "size(",
        ".matches(",
        "timestamp(",
        "'2027-01-15T08:00:00Z'",
        "true",
        "null",
        "@result",
        "a{",
        "a.b{c:",
        "in",
        "if",
        "\\",
        "&",
        "=",
        "\u{feff}",
        "🦀",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nothing_that_is_written_panics(source in prop_oneof![pieces(), any::<String>(), "[ -~]{0,40}"]) {
        if let Ok(when) = When::compile(&source) {
            let _ = with_claims(&claims(), false, |environment| when.eval(environment));
        }
    }
}
