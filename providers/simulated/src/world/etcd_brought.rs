//! Snapshots that machines were brought for a restore, and that are not made data of yet.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keelson_provider_api::{ProviderError, Restoration};
use serde::{Deserialize, Serialize};

use super::etcd_restores::{is_gone, is_of};
use super::{Effect, Holder, World};

/// A snapshot on a machine, which goes with that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Brought {
    pub(crate) holder: Holder,
    pub(crate) machine: String,
    /// The id of the machine that it lies on.
    pub(crate) host_id: String,
    pub(crate) sha256: String,
}

impl World {
    /// The machines that have a snapshot which is to become data.
    pub(crate) fn brought(&self, holder: &Holder) -> BTreeSet<String> {
        let held = self.brought.iter().filter(|brought| brought.holder == *holder);
        held.map(|brought| brought.machine.clone()).collect()
    }

    /// The founders that have not been given the data.
    pub(crate) fn founders_without(&self, holder: &Holder, restoration: &Restoration) -> Vec<String> {
        let name = restoration.etcd.cluster;
        let founders = restoration.founders.iter();
        let without = founders.filter(|machine| {
            let member = self.member_on(holder, name, machine);
            let placed = self.placed(holder, name, machine);
            let restored = member
                .and_then(|thing| thing.restored.as_ref())
                .or(placed.and_then(|data| data.restored.as_ref()));
            !is_of(restored, restoration)
        });
        without.cloned().collect()
    }

    /// Brings the snapshot to `machine`, unless it is there.
    pub(crate) fn bring(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        machine: &str,
        now: Timestamp,
    ) -> Result<Vec<Effect>, ProviderError> {
        self.answers(machine, now)?;
        let host = self.machine(holder, machine).ok_or_else(|| is_gone(machine))?;
        let brought = Brought {
            holder: holder.clone(),
            machine: machine.to_owned(),
            host_id: host.id.clone(),
            sha256: restoration.sha256.clone(),
        };
        let is_there = self.brought.contains(&brought);
        Ok((!is_there)
            .then_some(Effect::Brought(brought))
            .into_iter()
            .collect())
    }

    /// Takes the snapshot away from `machine`, if it is there.
    pub(crate) fn forget(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        machine: &str,
        now: Timestamp,
    ) -> Result<Vec<Effect>, ProviderError> {
        self.answers(machine, now)?;
        Ok(self.without_brought(holder, restoration, machine))
    }

    /// The end of the snapshot on `machine`, if it is there.
    pub(super) fn without_brought(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        machine: &str,
    ) -> Vec<Effect> {
        let all = self.brought.iter().filter(|brought| brought.holder == *holder);
        let there = all.filter(|brought| brought.machine == machine && brought.sha256 == restoration.sha256);
        there.cloned().map(Effect::NotBrought).collect()
    }
}
