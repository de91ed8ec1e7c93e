//! The figures as a bar chart: SVG that reads well on light and dark pages, without scripts and fonts of its own.

use super::summary::{Figures, Summary};

const LABEL: f64 = 330.0;
const BARS: f64 = 440.0;
const VALUE: f64 = 170.0;
const TOP: f64 = 78.0;
const ROW: f64 = 26.0;
const BAR: f64 = 16.0;
const BOTTOM: f64 = 14.0;
const MARGIN: f64 = 16.0;

/// A bar for each variant: Envoy's CPU time for a request.
pub(super) fn svg(summary: &Summary) -> String {
    let width = MARGIN + LABEL + BARS + VALUE;
    let height = TOP + ROW * summary.variants.len() as f64 + BOTTOM;
    let longest = summary
        .variants
        .iter()
        .map(|figures| figures.cpu_micros_median);
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title\">\n\
         <title id=\"title\">CPU time of Envoy for a request</title>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n"
    );
    svg += &text(
        "head",
        MARGIN,
        28.0,
        "CPU time of Envoy for a request, in µs",
    );
    let about = format!(
        "Envoy {}, one worker; median of {} rounds; shorter is better",
        summary.machine.envoy, summary.rounds
    );
    svg += &text("note", MARGIN, 48.0, &about);
    for (nth, figures) in summary.variants.iter().enumerate() {
        let top = TOP + ROW * nth as f64;
        let middle = top + ROW / 2.0 + 4.5;
        let length = (figures.cpu_micros_median / longest * BARS).max(1.0);
        svg += &text("label", MARGIN + LABEL - 10.0, middle, &figures.title);
        svg += &format!(
            "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>\n",
            kind(figures),
            MARGIN + LABEL,
            top + (ROW - BAR) / 2.0,
        );
        let mut value = format!("{:.1}", figures.cpu_micros_median);
        if let Some(ratio) = figures.ratio_to_native {
            value += &format!("  ({ratio:.2} × native)");
        }
        svg += &text("value", MARGIN + LABEL + length + 8.0, middle, &value);
    }
    svg + "</svg>\n"
}

fn kind(figures: &Figures) -> &'static str {
    match figures.id.split('-').next() {
        Some("jobgate") => "jobgate",
        Some("jwt" | "native") => "native",
        _ => "bare",
    }
}

fn text(class: &str, x: f64, y: f64, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n")
}

/// A page of its own colour: where the picture is embedded, nothing else tells it what is behind.
const STYLE: &str = "
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328; }
.head { font-size: 17px; font-weight: 600; }
.note, .value { fill: #59636e; }
.label { text-anchor: end; }
.page { fill: #ffffff; }
.jobgate { fill: #1a7f64; }
.native { fill: #6e7cc4; }
.bare { fill: #a8b0b9; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.note, .value { fill: #9aa4af; }
.page { fill: #0d1117; }
.jobgate { fill: #3fb68b; }
.native { fill: #8b97e0; }
.bare { fill: #5b646e; }
}
";

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    #[test]
    fn every_variant_has_a_bar_in_proportion_and_its_value() {
        let summary = summary(&[
            ("none", None, &[20.0]),
            ("native-warm", None, &[40.0]),
            ("jobgate-warm", Some("native-warm"), &[30.0]),
        ]);
        let svg = svg(&summary);
        assert!(
            svg.contains("<rect class=\"native\" x=\"346\" y=\"109\" width=\"440.0\""),
            "{svg}"
        );
        assert!(
            svg.contains("<rect class=\"jobgate\" x=\"346\" y=\"135\" width=\"330.0\""),
            "{svg}"
        );
        assert!(svg.contains(">the &lt;jobgate-warm></text>"), "{svg}");
        assert!(svg.contains(">30.0  (0.75 × native)</text>"), "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");
    }
}
