//! The catalogue of resource kinds.
//!
//! A kind is written once: what it is made of, what changing each field costs, what it stands on. Create, update,
//! observe, list and delete are all driven by this one table ([`KINDS`]); there is no second deleter.
//!
//! To add a kind: its file here, one line in the `catalogue!` below, its handling in the provider, and its
//! builder in the model. The lines stand in the order in which a cluster is built, from the ground up; on one
//! machine things are taken down in the reverse of that order.

mod addon;
mod control_plane;
mod dns_record;
mod etcd_member;
mod etcd_snapshot;
mod field;
mod firewall;
mod group_machine;
mod leftover;
mod load_balancer;
mod load_balancer_target;
mod machine;
mod nat_gateway;
mod network;
mod network_interface;
mod node;
mod node_bundle;
mod node_group;
mod role;
mod subnet;
mod virtual_address;
mod volume;
mod way_out;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use addon::Addon;
pub use control_plane::ControlPlane;
pub use dns_record::DnsRecord;
pub use etcd_member::{EtcdMember, MemberPhase, MemberStart};
pub use etcd_snapshot::EtcdSnapshot;
pub use field::{Difference, Effect, Field};
pub use firewall::{Firewall, FirewallRule, Protocol};
pub use group_machine::GroupMachine;
pub use leftover::{Leftover, LeftoverSort};
pub use load_balancer::LoadBalancer;
pub use load_balancer_target::LoadBalancerTarget;
pub use machine::{Machine, MachineRole};
pub use nat_gateway::NatGateway;
pub use network::Network;
pub use network_interface::NetworkInterface;
pub use node::Node;
pub use node_bundle::NodeBundle;
pub use node_group::NodeGroup;
pub use role::Role;
pub use subnet::Subnet;
pub use virtual_address::VirtualAddress;
pub use volume::Volume;
pub use way_out::{Through, WayOut};

use crate::key::ResourceKey;

/// How long a kind's resources last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// They last until they are deleted.
    Own,
    /// They live on one machine and are gone when it is gone.
    Machine,
    /// A group of them makes them, and they are gone when it is gone.
    Group,
    /// They live in the running cluster and are gone when its last machine is gone.
    Cluster,
    /// They are kept while the cluster lives, also when nothing asks for them any more, and go with it.
    Archive,
}

/// What the catalogue knows of a kind.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// The kind.
    pub kind: Kind,
    /// Its name in keys, plans and messages.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// How long its resources last.
    pub lifetime: Lifetime,
    /// Its fields, with what changing one costs.
    pub fields: &'static [Field],
}

/// What every kind says of itself.
trait Catalogued: Serialize + PartialEq {
    const SUMMARY: &'static str;
    const LIFETIME: Lifetime;
    const FIELDS: &'static [Field];

    /// The resources that must exist for this one to exist.
    fn references(&self) -> Vec<ResourceKey>;

    /// The machine that it lives on.
    fn machine(&self) -> Option<&str> {
        None
    }

    /// The machine that it is kept for, which may be another one tomorrow.
    fn kept_for(&self) -> Option<&str> {
        None
    }

    /// True where `field` of what is there is as good as this one's, though it is another: something else than keelson may
    /// set it.
    fn accepts(&self, _field: &str, _actual: &Self) -> bool {
        false
    }
}

macro_rules! catalogue {
    ($($kind:ident = $name:literal),+ $(,)?) => {
        /// A kind of resource. Kinds order as a cluster is built: from the ground up.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each kind is documented at the struct of the same name")]
        pub enum Kind { $($kind),+ }

        /// A resource of any kind, as it is or as it is to be.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[expect(missing_docs, reason = "each kind is documented at the struct of the same name")]
        pub enum Resource { $($kind($kind)),+ }

        /// The catalogue: one row a kind.
        pub const KINDS: &[KindInfo] = &[$(KindInfo {
            kind: Kind::$kind,
            name: $name,
            summary: <$kind as Catalogued>::SUMMARY,
            lifetime: <$kind as Catalogued>::LIFETIME,
            fields: <$kind as Catalogued>::FIELDS,
        }),+];

        impl Resource {
            /// The resource's kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind),+ }
            }

            /// The resources that must exist for this one to exist.
            pub fn references(&self) -> Vec<ResourceKey> {
                match self { $(Self::$kind(resource) => resource.references()),+ }
            }

            /// The name of the machine that the resource is kept for while machines of that name come and go.
            pub fn kept_for(&self) -> Option<&str> {
                match self { $(Self::$kind(resource) => resource.kept_for()),+ }
            }

            fn lives_on(&self) -> Option<&str> {
                match self { $(Self::$kind(resource) => resource.machine()),+ }
            }

            fn accepts(&self, field: &str, actual: &Self) -> bool {
                match (self, actual) {
                    $((Self::$kind(wanted), Self::$kind(actual)) => wanted.accepts(field, actual),)+
                    _ => false,
                }
            }
        }

        $(impl From<$kind> for Resource {
            fn from(resource: $kind) -> Self {
                Self::$kind(resource)
            }
        })+
    };
}

catalogue! {
    Network = "network",
    Subnet = "subnet",
    NatGateway = "nat-gateway",
    WayOut = "way-out",
    Firewall = "firewall",
    LoadBalancer = "load-balancer",
    DnsRecord = "dns-record",
    Role = "role",
    Volume = "volume",
    NetworkInterface = "network-interface",
    Machine = "machine",
    NodeBundle = "node-bundle",
    EtcdMember = "etcd-member",
    EtcdSnapshot = "etcd-snapshot",
    ControlPlane = "control-plane",
    VirtualAddress = "virtual-address",
    LoadBalancerTarget = "load-balancer-target",
    NodeGroup = "node-group",
    GroupMachine = "group-machine",
    Node = "node",
    Addon = "addon",
    Leftover = "leftover",
}

impl Resource {
    /// The name of the machine that the resource under `key` is or lives on, if there is one.
    pub fn machine<'a>(&'a self, key: &'a ResourceKey) -> Option<&'a str> {
        match self {
            Self::Machine(_) => Some(key.name()),
            other => other.lives_on(),
        }
    }

    /// In which fields this resource, as it is, differs from `desired`. Fields that are planned but not compared, and those
    /// that something else than keelson may set, are left out; two resources of different kinds differ in their `kind`.
    pub fn differences(&self, desired: &Self) -> Vec<Difference> {
        if self == desired {
            return Vec::new();
        }
        field::differences(self.kind(), self, desired)
    }
}

impl Kind {
    /// What the catalogue knows of this kind.
    pub fn info(self) -> &'static KindInfo {
        // The table is written in the order of the enum, from the same list.
        &KINDS[self as usize]
    }

    /// The kind's name in keys, plans and messages.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        KINDS.iter().find(|info| info.name == name).map(|info| info.kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("`{}` is not a kind", name.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_its_names_lead_back() {
        for (index, info) in KINDS.iter().enumerate() {
            assert_eq!(info.kind as usize, index);
            assert_eq!(Kind::from_name(info.name), Some(info.kind));
            assert!(info.summary.ends_with('.'), "{}: {}", info.name, info.summary);
        }
    }
}
