//! A comparison, as people read it.

use super::replayed::RecordedExample;
use super::settings::Effect;
use super::{Example, Now, Report};
use crate::evaluate::printable;
use crate::output::{Output, style};
use anstyle::Style;
use std::io::{self, Write as _};

pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

const fn colour(now: Now) -> Style {
    match now {
        Now::Allowed => style::WARNING,
        Now::Refused => style::ERROR,
    }
}

const fn words(now: Now) -> &'static str {
    match now {
        Now::Allowed => "now allowed",
        Now::Refused => "now refused",
    }
}

/// Writes a report: each thing on a line that begins with what it is, so that it can be searched for too.
pub(crate) fn human(report: &Report, out: &mut Output) -> io::Result<()> {
    for change in &report.changes {
        let style = match change.effect {
            effect if effect.widens() => style::WARNING,
            effect if effect.narrows() => style::ERROR,
            Effect::NotCompared => style::WARNING,
            _ => Style::new(),
        };
        write!(
            out,
            "{} {}",
            change.change.as_str(),
            printable(&change.path)
        )?;
        if !change.members.is_empty() {
            write!(out, " ({})", printable(&change.members.join(", ")))?;
        }
        writeln!(out, ": {style}{}{style:#}", change.effect.words())?;
    }
    if report.changes.is_empty() {
        writeln!(out, "the policies say the same")?;
    }
    for difference in &report.differences {
        let style = colour(difference.now);
        writeln!(
            out,
            "{style}{}{style:#}: {} (before: {}, now: {}; {})",
            words(difference.now),
            example(&difference.example),
            difference.old,
            difference.new,
            counted(difference.requests, "request tried", "such requests tried"),
        )?;
    }
    let tried = counted(report.requests_tried, "request", "requests");
    let more = if report.more_to_try {
        ", of more that there are"
    } else {
        ""
    };
    if !report.changes.is_empty() && report.differences.is_empty() {
        writeln!(
            out,
            "no difference found in {tried} made of the rules{more}; that is no proof that there is none"
        )?;
    } else if !report.changes.is_empty() {
        writeln!(out, "tried {tried} made of the rules{more}")?;
    }
    match &report.replay {
        Some(replay) => replayed(replay, out),
        None => Ok(()),
    }
}

/// Writes a report with a line for each thing, its parts between tabs.
pub(crate) fn plain(report: &Report, out: &mut Output) -> io::Result<()> {
    let mut line = |parts: &[&str]| {
        // No part can hold a tab: it would not be printable.
        let parts: Vec<_> = parts.iter().map(|part| printable(part)).collect();
        writeln!(out, "{}", parts.join("\t"))
    };
    for change in &report.changes {
        let members = change.members.join(",");
        let (kind, effect) = (change.change.as_str(), change.effect.words());
        line(&["change", kind, &change.path, &members, effect])?;
    }
    for each in &report.differences {
        let count = each.requests.to_string();
        let example = example(&each.example);
        line(&[
            "request",
            words(each.now),
            &each.old,
            &each.new,
            &count,
            &example,
        ])?;
    }
    line(&["tried", &report.requests_tried.to_string()])?;
    let Some(replay) = &report.replay else {
        return Ok(());
    };
    for each in &replay.groups {
        let (count, example) = (each.requests.to_string(), recorded(&each.example));
        let (now, pipeline) = (words(each.now), each.pipeline.as_str());
        line(&[
            "record", now, &each.old, &each.new, &count, pipeline, &example,
        ])?;
    }
    for each in &replay.unknown {
        let (missing, rules) = (each.missing.join(","), each.rules.join(","));
        let (count, example) = (each.requests.to_string(), recorded(&each.example));
        line(&["unknown", &missing, &rules, &count, &example])?;
    }
    for (name, count) in [
        ("same", replay.same),
        ("not-asked", replay.not_asked),
        ("of-other-policies", replay.of_other_policies),
        ("lines-without-record", replay.lines.others),
        ("broken", replay.lines.broken),
    ] {
        line(&[name, &count.to_string()])?;
    }
    Ok(())
}

fn replayed(replay: &super::ReplayReport, out: &mut Output) -> io::Result<()> {
    for group in &replay.groups {
        let style = colour(group.now);
        let pipeline = match group.pipeline.as_str() {
            "" => String::new(),
            name => format!(" of {}", printable(name)),
        };
        writeln!(
            out,
            "{style}{}{style:#}: {}{pipeline}, such as {} (before: {}, now: {}; {} to {})",
            words(group.now),
            counted(group.requests, "recorded request", "recorded requests"),
            recorded(&group.example),
            group.old,
            group.new,
            group.first,
            group.last,
        )?;
    }
    for group in &replay.unknown {
        let style = style::WARNING;
        let rules = match group.rules.as_slice() {
            [] => String::new(),
            rules => format!(
                ", which {} at",
                match rules {
                    [one] => format!("{one} looks"),
                    many => format!("{} look", many.join(", ")),
                }
            ),
        };
        writeln!(
            out,
            "{style}unknown{style:#}: {}, such as {}: not recorded is {}{rules}",
            counted(group.requests, "recorded request", "recorded requests"),
            recorded(&group.example),
            printable(&group.missing.join(", ")),
        )?;
    }
    let sum = |now: Now| -> usize {
        let groups = replay.groups.iter().filter(|group| group.now == now);
        groups.map(|group| group.requests).sum()
    };
    let unknown: usize = replay.unknown.iter().map(|group| group.requests).sum();
    writeln!(
        out,
        "replayed {}: {} now allowed, {} now refused, {unknown} unknown, {} as before, {} that no rule was asked about",
        counted(replay.lines.records, "record", "records"),
        sum(Now::Allowed),
        sum(Now::Refused),
        replay.same,
        replay.not_asked,
    )?;
    if unknown > 0 {
        writeln!(
            out,
            "with audit: {{ detail: claims }} records hold the claims that rules look at"
        )?;
    }
    if replay.of_other_policies > 0 {
        writeln!(
            out,
            "{} made by neither of the two policies; who their jobs are is read as the old one reads it",
            counted(replay.of_other_policies, "record was", "records were"),
        )?;
    }
    skipped(&replay.lines, out)
}

/// The lines that told nothing.
fn skipped(lines: &crate::records::Lines, out: &mut Output) -> io::Result<()> {
    if lines.others > 0 {
        writeln!(
            out,
            "{} without a record",
            counted(lines.others, "line", "lines")
        )?;
    }
    if lines.broken > 0 {
        writeln!(
            out,
            "{} in which a record is broken, or stands where no gateway writes it",
            counted(lines.broken, "line", "lines")
        )?;
    }
    Ok(())
}

fn example(example: &Example) -> String {
    let mut text = format!("{} {}", example.method, example.path);
    for (name, value) in [
        ("host", &example.host),
        ("route", &example.route),
        ("at", &example.at),
    ] {
        if let Some(value) = value {
            text += &format!(" {name} {value}");
        }
    }
    for (name, value) in example.client_certificate.iter().flatten() {
        text += &format!(" certificate.{name}={value}");
    }
    text += &format!(" iss={}", example.issuer);
    for (name, value) in &example.claims {
        text += &format!(" {name}={value:?}");
    }
    printable(&text)
}

fn recorded(example: &RecordedExample) -> String {
    let mut text = format!("{} {}", example.method, example.path);
    for name in ["organization", "pipeline", "branch", "step"] {
        if let Some(value) = example.identity.get(name) {
            text += &format!(" {name}={value:?}");
        }
    }
    printable(&format!("{text} [{}]", example.decision_id))
}
