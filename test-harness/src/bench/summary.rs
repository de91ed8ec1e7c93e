//! All figures of a run, for programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::statistics::{best_quartile, median, median_ratio};

/// What was measured, and on what.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Summary {
    /// Jobgate over Envoy's own filters, both with the token in their caches.
    pub warm_cpu_ratio: Option<f64>,
    /// The same with ever new tokens and without Envoy's cache, signatures verified by the host.
    pub cold_host_crypto_cpu_ratio: Option<f64>,
    /// The same, signatures verified in the filter.
    pub cold_wasm_cpu_ratio: Option<f64>,
    /// 10,000 rules over 10.
    pub rules_10k_cpu_ratio: Option<f64>,
    /// What these must not be above, by their names.
    pub limits: BTreeMap<String, Limit>,
    /// How many rounds there were; all ratios are medians over them.
    pub rounds: usize,
    /// How long each variant was under load in each round.
    pub seconds: u64,
    /// Connections, all of them kept open and busy.
    pub connections: u32,
    /// How many different tokens were sent where each is to be new.
    pub cold_tokens: usize,
    /// Whether this was a short run.
    pub quick: bool,
    /// Where it ran, and what.
    pub machine: Machine,
    /// The variants, in the order of the table.
    pub variants: Vec<Figures>,
}

/// What a ratio must not be above.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Limit {
    /// The limit.
    pub limit: f64,
    /// The ratio.
    pub ratio: f64,
    /// Whether it holds.
    pub holds: bool,
}

/// One variant's figures.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Figures {
    /// Its name on the command line.
    pub id: String,
    /// Its name in tables.
    pub title: String,
    /// Envoy's CPU time for a request, in microseconds: the rounds' median,
    pub cpu_micros_median: f64,
    /// and what a quarter of the rounds are below.
    pub cpu_micros_best_quartile: f64,
    /// The same for each round.
    pub cpu_micros: Vec<f64>,
    /// CPU time over that of no filter.
    pub ratio_to_none: Option<f64>,
    /// The variant of Envoy's own filters that does the same.
    pub native: Option<String>,
    /// CPU time over that of `native`.
    pub ratio_to_native: Option<f64>,
    /// Requests per second, the median.
    pub requests_per_second: f64,
    /// The median time from request to answer with all connections busy, in microseconds; the rounds' median.
    pub p50_micros: f64,
    /// The time that 99 in 100 took at most; the rounds' median.
    pub p99_micros: f64,
    /// How much of its processor Envoy had; well below 1, something else was the limit.
    pub busy: f64,
    /// Measured requests.
    pub requests: u64,
    /// Envoy's resident memory after the warm-up, in MiB.
    pub resident_mib: f64,
}

/// A ratio that has a limit: its name, the two variants, the limit.
const LIMITS: [(&str, &str, &str, f64); 4] = [
    ("warm_cpu_ratio", "jobgate-warm", "native-warm", 0.85),
    (
        "cold_host_crypto_cpu_ratio",
        "jobgate-cold-host",
        "native-cold",
        0.9,
    ),
    (
        "cold_wasm_cpu_ratio",
        "jobgate-cold-wasm",
        "native-cold",
        1.15,
    ),
    (
        "rules_10k_cpu_ratio",
        "jobgate-10000-rules",
        "jobgate-10-rules",
        1.2,
    ),
];

/// How a run was made, without what came of it.
pub(super) struct Run {
    pub(super) seconds: u64,
    pub(super) connections: u32,
    pub(super) cold_tokens: usize,
    pub(super) quick: bool,
    pub(super) machine: Machine,
}

impl Summary {
    /// The figures with all ratios, which these have none of yet.
    pub(super) fn new(run: Run, mut variants: Vec<Figures>) -> Self {
        let rounds: BTreeMap<_, _> = variants
            .iter()
            .map(|figures| (figures.id.clone(), figures.cpu_micros.clone()))
            .collect();
        let ratio = |of: &str, over: &str| median_ratio(rounds.get(of)?, rounds.get(over)?);
        for figures in &mut variants {
            figures.ratio_to_none = ratio(&figures.id, super::variant::NONE);
            figures.ratio_to_native =
                ratio(&figures.id, figures.native.as_deref().unwrap_or_default());
        }
        let limits = LIMITS.iter().filter_map(|(name, of, over, limit)| {
            let ratio = ratio(of, over)?;
            let (limit, holds) = (*limit, ratio <= *limit);
            Some((
                (*name).to_owned(),
                Limit {
                    limit,
                    ratio,
                    holds,
                },
            ))
        });
        let limits: BTreeMap<_, _> = limits.collect();
        let of = |name: &str| limits.get(name).map(|limit| limit.ratio);
        Self {
            warm_cpu_ratio: of("warm_cpu_ratio"),
            cold_host_crypto_cpu_ratio: of("cold_host_crypto_cpu_ratio"),
            cold_wasm_cpu_ratio: of("cold_wasm_cpu_ratio"),
            rules_10k_cpu_ratio: of("rules_10k_cpu_ratio"),
            rounds: variants
                .first()
                .map_or(0, |figures| figures.cpu_micros.len()),
            limits,
            seconds: run.seconds,
            connections: run.connections,
            cold_tokens: run.cold_tokens,
            quick: run.quick,
            machine: run.machine,
            variants,
        }
    }

    /// Whether every ratio that was measured is within its limit.
    pub fn holds(&self) -> bool {
        self.limits.values().all(|limit| limit.holds)
    }
}

impl Figures {
    /// Of a variant's rounds; without ratios.
    pub(super) fn new(arena: &super::arena::Arena, samples: &[super::arena::Sample]) -> Self {
        let each =
            |value: fn(&super::arena::Sample) -> f64| samples.iter().map(value).collect::<Vec<_>>();
        let cpu_micros = each(|sample| sample.cpu_micros);
        Self {
            id: arena.variant.id.to_owned(),
            title: arena.variant.title.to_owned(),
            cpu_micros_median: median(&cpu_micros),
            cpu_micros_best_quartile: best_quartile(&cpu_micros),
            cpu_micros,
            ratio_to_none: None,
            native: arena.variant.native.map(str::to_owned),
            ratio_to_native: None,
            requests_per_second: median(&each(|sample| sample.per_second)),
            p50_micros: median(&each(|sample| sample.p50_micros)),
            p99_micros: median(&each(|sample| sample.p99_micros)),
            busy: median(&each(|sample| sample.busy)),
            requests: samples.iter().map(|sample| sample.requests).sum(),
            resident_mib: arena.resident as f64 / f64::from(1 << 20),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn summary(variants: &[(&str, Option<&str>, &[f64])]) -> Summary {
        let figures = variants.iter().map(|(id, native, rounds)| Figures {
            id: (*id).to_owned(),
            title: format!("the <{id}>"),
            cpu_micros_median: median(rounds),
            cpu_micros_best_quartile: best_quartile(rounds),
            cpu_micros: rounds.to_vec(),
            ratio_to_none: None,
            native: native.map(str::to_owned),
            ratio_to_native: None,
            requests_per_second: 12_345.6,
            p50_micros: 870.0,
            p99_micros: 2_340.0,
            busy: 0.98,
            requests: 1_000,
            resident_mib: 51.25,
        });
        let run = Run {
            seconds: 4,
            connections: 16,
            cold_tokens: 5_000,
            quick: false,
            machine: Machine::default(),
        };
        Summary::new(run, figures.collect())
    }

    #[test]
    fn ratios_are_medians_over_rounds_and_held_against_their_limits() {
        let summary = summary(&[
            ("none", None, &[10.0, 20.0, 30.0]),
            ("native-warm", None, &[20.0, 40.0, 60.0]),
            ("jobgate-warm", Some("native-warm"), &[18.0, 34.0, 60.0]),
            ("jobgate-10-rules", None, &[20.0, 20.0, 20.0]),
            ("jobgate-10000-rules", None, &[20.0, 25.0, 25.0]),
        ]);
        assert_eq!(summary.warm_cpu_ratio, Some(0.9));
        assert!(!summary.limits["warm_cpu_ratio"].holds);
        assert_eq!(summary.rules_10k_cpu_ratio, Some(1.25));
        assert_eq!(summary.cold_wasm_cpu_ratio, None);
        assert_eq!(summary.rounds, 3);
        assert!(!summary.holds());
        let warm = &summary.variants[2];
        assert_eq!(
            (warm.ratio_to_none, warm.ratio_to_native),
            (Some(1.8), Some(0.9))
        );
        assert_eq!(summary.variants[0].ratio_to_native, None);
    }

    #[test]
    fn a_limit_may_be_reached() {
        let summary = summary(&[
            ("native-warm", None, &[100.0]),
            ("jobgate-warm", None, &[85.0]),
        ]);
        assert!(summary.holds());
        let json = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    }
}
