//! The key-value store that all VMs of a gateway share, with each gateway's compare-and-swap.

use std::collections::BTreeMap;

use crate::profile::Profile;

/// Keys to values with the `cas` number of their last write.
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    values: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
}

/// Somebody else wrote the key in between.
#[derive(Debug)]
pub(crate) struct CasMismatch;

impl SharedData {
    pub(crate) fn get(&self, key: &[u8]) -> Option<(&[u8], u32)> {
        let (value, cas) = self.values.get(key)?;
        Some((value, *cas))
    }

    /// Writes, or deletes with no value. `cas` 0 stands for none: Envoy then overwrites what is
    /// there, Kong refuses.
    pub(crate) fn set(
        &mut self,
        profile: Profile,
        key: &[u8],
        value: Option<&[u8]>,
        cas: u32,
    ) -> Result<(), CasMismatch> {
        let current = self.values.get(key).map(|(_, cas)| *cas);
        let blind = cas == 0 && profile.blind_overwrite();
        if current.is_some_and(|current| !blind && current != cas) {
            return Err(CasMismatch);
        }
        match value {
            Some(value) => {
                self.last_cas += 1;
                self.values
                    .insert(key.to_vec(), (value.to_vec(), self.last_cas));
            }
            None => {
                self.values.remove(key);
            }
        }
        Ok(())
    }
}
