//! What blocked things stand on.

use std::collections::BTreeMap;

use keelson_provider_api::{Change, Kind, Observation, Observed, Owner, ResourceKey};

use super::leftovers;
use super::verdict::{Verdicts, is_blocked};

/// What blocked things stand on, which is not to be taken away under them.
pub(super) struct Grounds {
    /// The topmost thing on each machine that nothing may be done to: all below it stays.
    on_machines: BTreeMap<String, ResourceKey>,
    /// What they reference.
    referenced: BTreeMap<ResourceKey, ResourceKey>,
    /// Kinds of which each may be the ground of something that cannot be seen.
    kinds: BTreeMap<Kind, ResourceKey>,
}

impl Grounds {
    /// What all that is blocked in `verdicts` stands on.
    pub(super) fn of_blocked(verdicts: &Verdicts, observation: &Observation) -> Self {
        let mut grounds = Self {
            on_machines: BTreeMap::new(),
            referenced: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        for key in verdicts.keys().filter(|key| is_blocked(verdicts, key)) {
            let observed = observation.get(key);
            let is_foreign =
                matches!(observed, Observed::Present(existing) if existing.owner != Owner::ThisCluster);
            if is_foreign {
                continue;
            }
            if let Some(machine) = key.host() {
                // Keys come from the ground up, so the last one is the topmost.
                grounds.on_machines.insert(machine.to_owned(), key.clone());
            }
            match observed {
                Observed::Present(existing) => {
                    let references = existing.resource.references().into_iter();
                    let new = references.map(|ground| (ground, key.clone()));
                    grounds.referenced.extend(new);
                }
                Observed::Unknown(_) => {
                    for &kind in may_stand_on(key.kind()) {
                        grounds.kinds.entry(kind).or_insert_with(|| key.clone());
                    }
                }
                Observed::Absent => {}
            }
        }
        grounds
    }

    /// The blocked thing that would lose its ground by `removal`.
    pub(super) fn kept_by(&self, removal: &Change) -> Option<ResourceKey> {
        let on_machine = removal
            .machine()
            .or_else(|| removal.resource().kept_for())
            .and_then(|machine| self.on_machines.get(machine));
        on_machine
            .filter(|blocked| **blocked > removal.key)
            .or_else(|| self.referenced.get(&removal.key))
            .or_else(|| self.kinds.get(&removal.key.kind()))
            .cloned()
    }
}

/// The kinds that something of `kind` may stand on, for one of which nothing is known. What lives on a machine goes by
/// its machine.
fn may_stand_on(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Machine => &[
            Kind::Network,
            Kind::Subnet,
            Kind::Firewall,
            Kind::Role,
            Kind::Volume,
            Kind::NetworkInterface,
            // Its controllers would make them anew, and it has its volumes.
            Kind::Leftover,
        ],
        Kind::NodeGroup | Kind::GroupMachine => &[
            Kind::Network,
            Kind::Subnet,
            Kind::Firewall,
            Kind::Role,
            Kind::NodeGroup,
            Kind::Leftover,
        ],
        Kind::Subnet | Kind::Firewall => &[Kind::Network],
        Kind::NatGateway => &[Kind::Network, Kind::Subnet],
        Kind::WayOut => &[Kind::Network, Kind::Subnet, Kind::NatGateway],
        Kind::NetworkInterface | Kind::LoadBalancer => &[Kind::Network, Kind::Subnet, Kind::Firewall],
        Kind::DnsRecord => &[Kind::LoadBalancer],
        Kind::Leftover => leftovers::GROUND,
        _ => &[],
    }
}
