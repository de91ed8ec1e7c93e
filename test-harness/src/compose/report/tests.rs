use super::*;

fn row(tally: Tally) -> Row {
    Row::new(Gateway::Envoy, "suite".to_owned(), tally, 1.0)
}

fn passed() -> Row {
    row(Tally {
        passed: 3,
        ..Tally::default()
    })
}

fn missing(allowed: bool) -> Missing {
    Missing {
        gateway: Gateway::Kong,
        image: "kong:3.9".to_owned(),
        why: "no such host".to_owned(),
        allowed,
    }
}

fn table(report: &Report) -> String {
    let mut out = Vec::new();
    report.table(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_report_passes_if_all_rows_do() {
    let mut report = Report {
        rows: vec![passed(), passed()],
        ..Report::default()
    };
    assert!(report.all_passed());

    let mut tally = Tally::default();
    tally.fail("a check", "503 in place of 200");
    report.rows.push(row(tally));
    assert!(!report.all_passed());
    assert!(table(&report).contains("a check: 503 in place of 200"));
}

#[test]
fn one_that_did_not_come_to_its_end_has_not_passed_whatever_did() {
    let broken = row(Tally {
        passed: 70,
        broken: Some("the runner is gone".to_owned()),
        ..Tally::default()
    });
    assert_eq!(broken.outcome, Outcome::Broken);
    let report = Report {
        rows: vec![broken],
        ..Report::default()
    };
    assert!(!report.all_passed());
    assert!(table(&report).contains("the runner is gone"));
}

#[test]
fn a_missing_gateway_fails_the_report_and_the_remedy_is_told() {
    let report = Report {
        rows: vec![passed()],
        missing: vec![missing(false)],
        ..Report::default()
    };
    assert!(!report.all_passed());
    let table = table(&report);
    for part in [
        "kong was not run",
        "kong:3.9",
        "KONG_IMAGE",
        "ALLOW_MISSING=kong",
    ] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
}

#[test]
fn a_missing_gateway_that_may_be_missing_is_told_and_fails_nothing() {
    let report = Report {
        rows: vec![passed()],
        missing: vec![missing(true)],
        ..Report::default()
    };
    assert!(report.all_passed());
    assert!(table(&report).contains("kong was not run"));
    assert!(!table(&report).contains("ALLOW_MISSING"));
}

#[test]
fn as_json_it_names_gateways_and_outcomes() {
    let report = Report {
        rows: vec![passed()],
        missing: vec![missing(true)],
        ..Report::default()
    };
    let mut out = Vec::new();
    report.json(&mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["rows"][0]["gateway"], "envoy");
    assert_eq!(json["rows"][0]["outcome"], "passed");
    assert_eq!(json["missing"][0]["gateway"], "kong");
    assert_eq!(json["missing"][0]["allowed"], true);
}
