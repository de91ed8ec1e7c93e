//! The figures as a table, for a terminal and for Markdown.

use std::io::{self, Write};

use super::summary::{Figures, Summary};

const HEAD: [&str; 9] = [
    "variant",
    "CPU µs",
    "best ¼",
    "× none",
    "× native",
    "req/s",
    "p50 ms",
    "p99 ms",
    "RSS MiB",
];

fn cells(figures: &Figures) -> [String; 9] {
    let ratio =
        |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let millis = |micros: f64| format!("{:.2}", micros / 1e3);
    [
        figures.title.clone(),
        format!("{:.1}", figures.cpu_micros_median),
        format!("{:.1}", figures.cpu_micros_best_quartile),
        ratio(figures.ratio_to_none),
        ratio(figures.ratio_to_native),
        format!("{:.0}", figures.requests_per_second),
        millis(figures.p50_micros),
        millis(figures.p99_micros),
        format!("{:.0}", figures.resident_mib),
    ]
}

/// For people at a terminal.
pub(super) fn plain(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let rows: Vec<_> = summary.variants.iter().map(cells).collect();
    let heads = HEAD.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([&heads])
            .map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    for row in [&heads].into_iter().chain(&rows) {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            match column {
                0 => write!(out, "{cell:width$}")?,
                _ => write!(out, "  {cell:>width$}")?,
            }
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "\n{} rounds of {} s, {} connections. CPU: Envoy's, for a request. Ratios: medians of each round's own.",
        summary.rounds, summary.seconds, summary.connections
    )?;
    for (name, limit) in &summary.limits {
        let verdict = if limit.holds {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        writeln!(
            out,
            "{name:27} {:.2}  limit {:.2}  {verdict}",
            limit.ratio, limit.limit
        )?;
    }
    Ok(())
}

/// The same for a page.
pub(super) fn markdown(summary: &Summary) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&HEAD.map(str::to_owned));
    text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    text.extend(summary.variants.iter().map(|figures| line(&cells(figures))));
    text += "\n| | ratio | limit | |\n|---|--:|--:|---|\n";
    for (name, limit) in &summary.limits {
        let verdict = if limit.holds {
            "holds"
        } else {
            "**does not hold**"
        };
        text += &format!(
            "| `{name}` | {:.2} | {:.2} | {verdict} |\n",
            limit.ratio, limit.limit
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    #[test]
    fn both_tables_have_every_variant_and_limit() {
        let summary = summary(&[
            ("none", None, &[10.0, 12.0]),
            ("native-warm", None, &[20.0, 22.0]),
            ("jobgate-warm", Some("native-warm"), &[18.0, 20.0]),
        ]);
        let mut plain = Vec::new();
        super::plain(&mut plain, &summary).unwrap();
        let plain = String::from_utf8(plain).unwrap();
        let lines: Vec<_> = plain.lines().collect();
        assert_eq!(
            lines[3],
            "the <jobgate-warm>    19.0    18.5    1.73      0.90  12346    0.87    2.34       51"
        );
        assert_eq!(
            lines[6],
            "warm_cpu_ratio              0.90  limit 0.85  DOES NOT HOLD"
        );
        let markdown = markdown(&summary);
        assert!(markdown.contains(
            "| the <jobgate-warm> | 19.0 | 18.5 | 1.73 | 0.90 | 12346 | 0.87 | 2.34 | 51 |\n"
        ));
        assert!(markdown.contains("| `warm_cpu_ratio` | 0.90 | 0.85 | **does not hold** |"));
    }
}
