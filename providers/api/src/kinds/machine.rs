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
    /// People reach the other machines through it.
    Bastion,
}

/// A machine that the cluster runs on: made in a cloud, or claimed where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Machine {
    /// The group it belongs to: `control-plane`, `etcd`, `bastion`, or a node group's name.
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

    /// The subnet's name, where there are subnets and the machine has no interface that says it.
    pub subnet: Option<String>,

    /// The firewall's name, where there are firewalls and the machine has no interface that says it.
    pub firewall: Option<String>,

    /// The address it answers to, for machines that are not made by keelson.
    pub address: Option<String>,

    /// The name of the volume for its etcd data, where that is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,

    /// The name of its network interface, where that is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface: Option<String>,

    /// The name of the role that says what it may do in the cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Machine {
    /// The [`group`](Self::group) of control planes, and of their nodes.
    pub const CONTROL_PLANE_GROUP: &'static str = "control-plane";

    /// The [`group`](Self::group) of machines that people reach the others through.
    pub const BASTION_GROUP: &'static str = "bastion";
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
        // What etcd writes to is not taken from under it, and a machine keeps its first interface for life.
        Field::new("volume", Effect::Replace),
        Field::new("networkInterface", Effect::Replace),
        Field::new("role", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        let named = [
            (Kind::Subnet, &self.subnet),
            (Kind::Firewall, &self.firewall),
            (Kind::Role, &self.role),
            (Kind::Volume, &self.volume),
            (Kind::NetworkInterface, &self.network_interface),
        ];
        named
            .into_iter()
            .filter_map(|(kind, name)| Some(ResourceKey::new(kind, name.clone()?)))
            .collect()
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
            volume: Some("a".to_owned()),
            network_interface: Some("a".to_owned()),
            role: Some("control-plane".to_owned()),
        }
    }
}
