//! Counters, gauges and histograms.

use std::collections::BTreeMap;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Keeps what was recorded.
    Histogram,
}

impl MetricKind {
    pub(crate) fn from_abi(kind: i32) -> Option<Self> {
        Some(match kind {
            0 => Self::Counter,
            1 => Self::Gauge,
            2 => Self::Histogram,
            _ => return None,
        })
    }
}

/// A metric and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// What it is.
    pub kind: MetricKind,
    /// A counter's or gauge's value; a histogram's last record.
    pub value: u64,
    /// Everything a histogram recorded.
    pub recorded: Vec<u64>,
}

/// All metrics by name. They outlive VMs, as both gateways keep them outside.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    by_name: BTreeMap<String, Metric>,
    /// The guest's ids are the index here, plus one.
    names: Vec<String>,
}

/// Why a metric call was refused.
#[derive(Debug)]
pub(crate) enum MetricError {
    /// No metric has that id.
    Unknown,
    /// The metric can't do that: a gauge is incremented on Kong, a counter recorded.
    Misuse,
}

impl Metrics {
    pub(crate) fn by_name(&self) -> &BTreeMap<String, Metric> {
        &self.by_name
    }

    /// Defines a metric, or finds the one of that name.
    pub(crate) fn define(&mut self, kind: MetricKind, name: &str) -> u32 {
        let index = self.names.iter().position(|known| known == name);
        let index = index.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.by_name.insert(
                name.to_owned(),
                Metric {
                    kind,
                    value: 0,
                    recorded: Vec::new(),
                },
            );
            self.names.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&self, id: u32) -> Result<u64, MetricError> {
        let name = self.name(id)?;
        Ok(self.by_name.get(name).ok_or(MetricError::Unknown)?.value)
    }

    /// Adds to a counter; to a gauge as well where the gateway lets that pass.
    pub(crate) fn increment(
        &mut self,
        id: u32,
        offset: i64,
        gauges_too: bool,
    ) -> Result<(), MetricError> {
        let metric = self.metric(id)?;
        let allowed = match metric.kind {
            MetricKind::Counter => offset >= 0,
            MetricKind::Gauge => gauges_too,
            MetricKind::Histogram => false,
        };
        if !allowed {
            return Err(MetricError::Misuse);
        }
        metric.value = metric.value.saturating_add_signed(offset);
        Ok(())
    }

    /// Sets a gauge, records into a histogram, and adds to a counter where the gateway lets that
    /// pass.
    pub(crate) fn record(
        &mut self,
        id: u32,
        value: u64,
        counters_too: bool,
    ) -> Result<(), MetricError> {
        let metric = self.metric(id)?;
        match metric.kind {
            MetricKind::Counter if !counters_too => return Err(MetricError::Misuse),
            MetricKind::Counter => metric.value = metric.value.saturating_add(value),
            MetricKind::Gauge => metric.value = value,
            MetricKind::Histogram => {
                metric.value = value;
                metric.recorded.push(value);
            }
        }
        Ok(())
    }

    fn metric(&mut self, id: u32) -> Result<&mut Metric, MetricError> {
        let name = self.name(id)?.to_owned();
        self.by_name.get_mut(&name).ok_or(MetricError::Unknown)
    }

    fn name(&self, id: u32) -> Result<&str, MetricError> {
        usize::try_from(id)
            .ok()
            .and_then(|id| id.checked_sub(1))
            .and_then(|index| self.names.get(index))
            .map(String::as_str)
            .ok_or(MetricError::Unknown)
    }
}
