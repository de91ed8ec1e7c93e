//! What a scalar of YAML is as JSON: the core schema of YAML 1.2, where `no` is a text and `010` is ten.
//!
//! <https://yaml.org/spec/1.2.2/#103-core-schema>

use serde_json::{Number, Value};

/// The value of a plain scalar; a text is `None`.
///
/// # Errors
/// What JSON can't say, or not exactly, and how to mend it.
pub(crate) fn resolve(text: &str) -> Result<Option<Value>, (&'static str, &'static str)> {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Err(NOT_FINITE),
        _ => match integer(text) {
            Some(number) => Value::Number(number?),
            None if is_infinity(text) => return Err(NOT_FINITE),
            None if is_float(text) => {
                let float = text.parse().ok().and_then(Number::from_f64);
                Value::Number(float.ok_or(NOT_FINITE)?)
            }
            None => return Ok(None),
        },
    };
    Ok(Some(value))
}

const NOT_FINITE: (&str, &str) = (
    "JSON has no number for this",
    "write it in quotes if a text is meant",
);

const TOO_LARGE: (&str, &str) = (
    "this number is too large to be compared exactly",
    "write it in quotes",
);

fn integer(text: &str) -> Option<Result<Number, (&'static str, &'static str)>> {
    let (digits, radix) = if let Some(digits) = text.strip_prefix("0o") {
        (digits, 8)
    } else if let Some(digits) = text.strip_prefix("0x") {
        (digits, 16)
    } else {
        (text.strip_prefix(['-', '+']).unwrap_or(text), 10)
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = if text.starts_with('-') {
        text.parse::<i64>().map(Number::from)
    } else {
        u64::from_str_radix(digits, radix).map(Number::from)
    };
    Some(number.map_err(|_| TOO_LARGE))
}

fn is_infinity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF")
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_fits
        && all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_what_the_core_schema_says() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("TRUE", json!(true)),
            ("false", json!(false)),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("010", json!(10)),
            ("0o10", json!(8)),
            ("0xfF", json!(255)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.5", json!(1.5)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("-1e3", json!(-1000.0)),
            ("12e03", json!(12000.0)),
        ] {
            assert_eq!(resolve(text), Ok(Some(value)), "{text:?}");
        }
        for text in [
            "no",
            "yes",
            "on",
            "off",
            "y",
            "tRue",
            "nULL",
            "1_000",
            "1:30",
            "0b1",
            "0x",
            "0o8",
            "-0x1",
            "1e",
            ".",
            "-",
            "+",
            "e3",
            "1.2.3",
            "2026-01-01",
            "inf",
            "nan",
            "main",
            "--1",
        ] {
            assert_eq!(resolve(text), Ok(None), "{text:?}");
        }
        for text in [
            ".inf",
            "-.Inf",
            "+.INF",
            ".nan",
            "1e999",
            "18446744073709551616",
            "-9223372036854775809",
            "0x10000000000000000",
        ] {
            assert!(resolve(text).is_err(), "{text:?}");
        }
    }
}
