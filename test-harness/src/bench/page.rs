//! The page that shows the last full run.

use super::summary::Summary;
use super::table;

const BEGIN: &str = "<!-- figures: `make bench UPDATE_DOCS=1` writes what follows -->\n";
const END: &str = "<!-- end -->";

/// The page with this run's figures in place of those that it has.
pub(super) fn with_figures(page: &str, summary: &Summary) -> String {
    let figures = figures(summary);
    match page.split_once(BEGIN) {
        Some((before, rest)) => {
            let after = rest.split_once(END).map_or("", |(_, after)| after);
            format!("{before}{BEGIN}{figures}{END}{after}")
        }
        None => format!("{page}\n{BEGIN}{figures}{END}\n"),
    }
}

fn figures(summary: &Summary) -> String {
    let machine = &summary.machine;
    // The rest of a release is a distribution's own.
    let kernel = machine.kernel.split('-').next().unwrap_or_default();
    let place = if machine.pinned {
        "one for Envoy, one for wrk"
    } else {
        "shared by Envoy and wrk"
    };
    format!(
        "\n![CPU time of Envoy for a request, as bars](cpu.svg)\n\nEnvoy {}, {} rounds of {} s, {} connections, {} tokens where each is new; {} with {} cores ({place}), Linux {}; \
         commit {}, `jobgate.wasm` {:.12}…, {} bytes.\n\n{}\n",
        machine.envoy,
        summary.rounds,
        summary.seconds,
        summary.connections,
        summary.cold_tokens,
        machine.cpu,
        machine.cores,
        kernel,
        machine.commit,
        machine.wasm_sha256,
        machine.wasm_bytes,
        table::markdown(summary),
    )
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    #[test]
    fn only_the_figures_of_a_page_are_replaced() {
        let summary = summary(&[("none", None, &[20.0])]);
        let page = with_figures("Before.\n", &summary) + "After.\n";
        assert!(
            page.starts_with("Before.\n") && page.ends_with("After.\n"),
            "{page}"
        );
        assert!(page.contains("| the <none> | 20.0 |"), "{page}");
        assert_eq!(with_figures(&page, &summary), page);
    }
}
