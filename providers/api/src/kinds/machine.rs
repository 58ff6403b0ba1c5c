//! Machines.

use crate::values::Quantity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineRole {
    /// It runs API server, controller manager and scheduler.
    ControlPlane,
    /// It runs an etcd member.
    Etcd,
    /// It takes workloads.
    Worker,
}

/// A machine that the cluster runs on: made in a cloud, or claimed where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Machine {
    /// The group it belongs to: `control-plane`, `etcd`, or a node group's name.
    pub group: String,

    /// What it is for.
    pub roles: BTreeSet<MachineRole>,

    /// The provider's machine type; `None` for machines that are not made by keelson.
    pub machine_type: Option<String>,

    /// The operating system image; `None` for machines that are not made by keelson.
    pub image: Option<String>,

    /// The size of the root volume; `None` for the provider's default.
    pub root_volume: Option<Quantity>,

    /// True for a machine that the cloud may take back at any time, at a lower price.
    pub spot: bool,

    /// The zone it is in, where there are zones.
    pub zone: Option<String>,

    /// The subnet's name, where there are subnets.
    pub subnet: Option<String>,

    /// The firewall's name, where there are firewalls.
    pub firewall: Option<String>,

    /// The address it answers to, for machines that are not made by keelson.
    pub address: Option<String>,
}

impl Machine {
    /// The [`group`](Self::group) of control planes, and of their nodes.
    pub const CONTROL_PLANE_GROUP: &'static str = "control-plane";
}

impl Catalogued for Machine {
    const SUMMARY: &'static str =
        "A machine that the cluster runs on: made in a cloud, or claimed where it stands.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("group", Effect::InPlace),
        Field::new("roles", Effect::InPlace),
        Field::new("machineType", Effect::Replace),
        Field::new("image", Effect::Replace),
        Field::new("rootVolume", Effect::Replace),
        Field::new("spot", Effect::Replace),
        Field::new("zone", Effect::Replace),
        Field::new("subnet", Effect::Replace),
        Field::new("firewall", Effect::InPlace),
        Field::new("address", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        let subnet = self
            .subnet
            .iter()
            .map(|name| ResourceKey::new(Kind::Subnet, name));
        let firewall = self
            .firewall
            .iter()
            .map(|name| ResourceKey::new(Kind::Firewall, name));
        subnet.chain(firewall).collect()
    }
}

#[cfg(test)]
impl Machine {
    pub(super) fn sample() -> Self {
        Self {
            group: "control-plane".to_owned(),
            roles: BTreeSet::from([MachineRole::ControlPlane, MachineRole::Etcd]),
            machine_type: Some("m6i.large".to_owned()),
            image: Some("ubuntu-24.04".to_owned()),
            root_volume: Some(Quantity::from_gibibytes(50)),
            spot: false,
            zone: Some("a".to_owned()),
            subnet: Some("a".to_owned()),
            firewall: Some("control-plane".to_owned()),
            address: None,
        }
    }
}
