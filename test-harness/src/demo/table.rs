//! The story as a table of at most 120 columns.

use std::io::{self, Write};
use std::time::Duration;

use super::paint::Paint;
use super::pretty::indented;
use super::row::{Row, Saw};

const TITLE: usize = 45;
const ANSWER: usize = 9;
const REASON: usize = 22;
const UPSTREAM: usize = 34;

/// The title, before the first row.
pub(super) fn head(out: &mut impl Write, paint: Paint) -> io::Result<()> {
    let head = format!(
        "   #  {:TITLE$} {:ANSWER$} {:REASON$} what the upstream saw",
        "what comes to the gate", "answer", "reason or rule"
    );
    writeln!(out, "\n{}", paint.bold(&head))?;
    let line = "─".repeat(6 + TITLE + 1 + ANSWER + 1 + REASON + 1 + UPSTREAM);
    writeln!(out, "{}", paint.dim(&line))
}

/// One row: two lines, and another for each difference.
pub(super) fn row(out: &mut impl Write, paint: Paint, row: &Row) -> io::Result<()> {
    let mark = if row.as_expected() {
        paint.green("✓")
    } else {
        paint.red("✗")
    };
    let answer = format!("{:ANSWER$}", answers(&row.answers));
    let answer = match row.answers.last() {
        Some(200..300) => paint.green(&answer),
        Some(503) => paint.yellow(&answer),
        _ => paint.red(&answer),
    };
    let why = match (&row.reason, &row.rule) {
        (None, Some(rule)) => rule,
        (Some(reason), _) => reason,
        (None, None) => "-",
    };
    let (decision, identity) = row
        .upstream
        .as_ref()
        .map_or(("nothing".to_owned(), String::new()), saw);
    writeln!(
        out,
        "{mark} {:>2}  {} {answer} {why:REASON$} {decision}",
        row.number,
        paint.bold(&format!("{:TITLE$}", row.title)),
    )?;
    let request = format!("{} {}", row.method, row.path);
    // The rule of a refusal comes below its reason.
    let rule = row.rule.as_deref().filter(|_| row.reason.is_some());
    let second = format!(
        "      {request:TITLE$} {:ANSWER$} {:REASON$} {identity}",
        "",
        rule.map(|rule| format!("by {rule}")).unwrap_or_default(),
    );
    writeln!(out, "{}", paint.dim(second.trim_end()))?;
    for difference in &row.differences {
        writeln!(
            out,
            "      {}",
            paint.red(&format!("differs: {difference}"))
        )?;
    }
    // Rows come one at a time, and whoever watches wants to see each as it comes.
    out.flush()
}

/// `503×2,200`: the repeated ones counted.
fn answers(statuses: &[u16]) -> String {
    let runs = statuses.chunk_by(|one, other| one == other);
    let runs = runs.map(|run| match run {
        [status] => status.to_string(),
        _ => format!("{}×{}", run[0], run.len()),
    });
    runs.collect::<Vec<_>>().join(",")
}

fn saw(saw: &Saw) -> (String, String) {
    let Saw {
        decision,
        organization,
        pipeline,
        build,
        branch,
        token,
    } = saw;
    let token = if *token { "and the token" } else { "no token" };
    (
        format!("{decision}, {token}"),
        format!("{organization}/{pipeline} #{build} {branch}"),
    )
}

/// After the last row: a decision record, and the totals.
pub(super) fn foot(
    out: &mut impl Write,
    paint: Paint,
    rows: &[Row],
    took: Duration,
) -> io::Result<()> {
    let refused = |row: &&Row| row.upstream.is_none();
    if let Some(example) = rows
        .iter()
        .find(|row| row.reason.as_deref() == Some("no_rule_matched"))
    {
        let head = format!("The decision record of request {}:", example.number);
        writeln!(out, "\n{}", paint.bold(&head))?;
        writeln!(out, "{}", indented(&example.record))?;
    }
    let stopped = rows.iter().filter(refused).count();
    let totals = format!(
        "\n{} requests in {:.1} s: {} went on, {stopped} were stopped",
        rows.len(),
        took.as_secs_f32(),
        rows.len() - stopped,
    );
    let different = rows.iter().filter(|row| !row.as_expected()).count();
    let verdict = match different {
        0 => paint.green("all as expected"),
        _ => paint.red(&format!("{different} NOT as expected")),
    };
    writeln!(out, "{totals}; {verdict}.")
}

#[cfg(test)]
mod tests {
    use super::answers;

    #[test]
    fn answers_that_repeat_are_counted() {
        assert_eq!(answers(&[403]), "403");
        assert_eq!(answers(&[503, 200]), "503,200");
        assert_eq!(answers(&[503, 503, 200]), "503×2,200");
    }
}
