//! What running the filter cost: instructions, calls to the host, memory.

use std::collections::BTreeMap;

use crate::faults::HostCall;

/// What something cost, over all VMs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// Instructions of the guest, as Wasmtime counts its fuel: one for each, however many bytes one copies, and none for
    /// those that only structure the code. What the host does is not among them. 0 unless the module is
    /// [metered](crate::Module::metered).
    pub fuel: u64,
    /// The same by the callback in which they ran, by its export's name.
    pub callbacks: BTreeMap<&'static str, u64>,
    /// Calls to the host, by function. Those never made are absent.
    pub calls: BTreeMap<HostCall, u64>,
    /// By how many bytes the VMs' memory grew. It never shrinks.
    pub memory: usize,
}

/// The instructions so far, by callback.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) fuel: BTreeMap<&'static str, u64>,
}

impl Meter {
    pub(crate) fn add(&mut self, export: &'static str, fuel: u64) {
        if fuel > 0 {
            *self.fuel.entry(export).or_default() += fuel;
        }
    }
}

/// What was counted since; nothing where it is nothing.
pub(crate) fn since<K: Ord + Copy>(
    now: &BTreeMap<K, u64>,
    before: &BTreeMap<K, u64>,
) -> BTreeMap<K, u64> {
    now.iter()
        .map(|(key, count)| {
            (
                *key,
                count.saturating_sub(before.get(key).copied().unwrap_or_default()),
            )
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}
