//! A cluster that has one of everything.

use std::collections::BTreeSet;
use std::net::IpAddr;

use keelson_provider_api::kinds::{
    DnsRecord, LoadBalancer, LoadBalancerTarget, Machine, MachineRole, NetworkInterface, NodeGroup, Role,
    Subnet, Volume,
};
use keelson_provider_api::values::{Digest, Labels, Quantity, Version};
use keelson_provider_api::{Kind, ResourceKey};
use serde_json::json;

use super::ZONE;
use crate::places::{Wanted, key, wanted as places};

/// Policies that are somebody else's.
pub(super) const POLICIES: [&str; 3] = ["audit", "boundary", "logs"];
pub(super) const NAME: &str = "api.foo.example.com";

const IN_ZONE: &str = "eu-west-1a";

/// Where a thing stands among those that are made one after the other.
pub(super) fn rank(key: &ResourceKey) -> (usize, String) {
    let order = [
        Kind::Network,
        Kind::Subnet,
        Kind::NatGateway,
        Kind::WayOut,
        Kind::Firewall,
        Kind::Role,
        Kind::Volume,
        Kind::NetworkInterface,
        Kind::Machine,
        Kind::LoadBalancer,
        Kind::DnsRecord,
        Kind::LoadBalancerTarget,
        Kind::NodeGroup,
        Kind::GroupMachine,
        Kind::Leftover,
    ];
    let rank = order.iter().position(|kind| *kind == key.kind());
    (rank.unwrap(), rank_among_leftovers(key.name()))
}

/// Load balancers are taken away first, and so made last.
fn rank_among_leftovers(name: &str) -> String {
    let parts = ["sg-", "targetgroup/", "net/"];
    let rank = parts.iter().position(|part| name.starts_with(part));
    rank.map_or_else(|| name.to_owned(), |rank| format!("~{rank} {name}"))
}

pub(super) fn arn(policy: &str) -> String {
    format!("arn:aws:iam::123456789012:policy/{policy}")
}

/// All of it.
pub(super) fn all() -> Wanted {
    let mut all = places();
    let record = DnsRecord {
        zone: ZONE.to_owned(),
        target: key(Kind::LoadBalancer, "api"),
        ttl_seconds: 60,
    };
    let target = LoadBalancerTarget {
        load_balancer: "api".to_owned(),
        machine: "a".to_owned(),
    };
    let subnet = Subnet {
        network: "main".to_owned(),
        zone: "eu-west-1b".to_owned(),
        cidr: "10.20.144.0/20".parse().unwrap(),
        public: true,
    };
    all.extend([
        (key(Kind::Subnet, "b-public"), subnet.into()),
        (key(Kind::Role, "control-plane"), control_plane_role().into()),
        (key(Kind::Role, "node"), node_role().into()),
        (key(Kind::Volume, "a"), volume(20).into()),
        (key(Kind::NetworkInterface, "a"), interface("a", 10, false).into()),
        (key(Kind::NetworkInterface, "b"), interface("b", 11, true).into()),
        (key(Kind::Machine, "a"), control_plane().into()),
        (key(Kind::Machine, "w"), worker("nodes", "node").into()),
        (key(Kind::Machine, "n"), without_role().into()),
        (key(Kind::LoadBalancer, "api"), balancer(6443).into()),
        (key(Kind::DnsRecord, NAME), record.into()),
        (key(Kind::LoadBalancerTarget, "a"), target.into()),
        (key(Kind::NodeGroup, "spare"), group().into()),
    ]);
    all
}

/// One that has policies, and what bounds it.
pub(super) fn control_plane_role() -> Role {
    let reads =
        json!({ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::clusters/foo/*"] });
    Role {
        machines: MachineRole::ControlPlane,
        statements: json!([reads]),
        boundary: Some(arn("boundary")),
        policies: vec![arn("audit")],
    }
}

/// One that may do nothing.
pub(super) fn node_role() -> Role {
    Role {
        machines: MachineRole::Worker,
        statements: json!([]),
        boundary: None,
        policies: Vec::new(),
    }
}

pub(super) fn volume(gibibytes: u64) -> Volume {
    Volume {
        machine: "a".to_owned(),
        zone: IN_ZONE.to_owned(),
        size: Quantity::from_gibibytes(gibibytes),
        encrypted: true,
        kms_key: None,
    }
}

pub(super) fn interface(machine: &str, last: u8, public: bool) -> NetworkInterface {
    NetworkInterface {
        machine: machine.to_owned(),
        subnet: "a-private".to_owned(),
        firewall: "control-plane".to_owned(),
        address: IpAddr::from([10, 20, 0, last]),
        public,
    }
}

/// A machine with an interface and a volume that are kept for it.
fn control_plane() -> Machine {
    Machine {
        roles: BTreeSet::from([MachineRole::ControlPlane, MachineRole::Etcd]),
        group: "control-plane".to_owned(),
        subnet: None,
        firewall: None,
        volume: Some("a".to_owned()),
        network_interface: Some("a".to_owned()),
        ..worker("nodes", "control-plane")
    }
}

/// A machine in a subnet, behind `firewall`, with `role`.
pub(super) fn worker(firewall: &str, role: &str) -> Machine {
    Machine {
        group: "workers".to_owned(),
        roles: BTreeSet::from([MachineRole::Worker]),
        machine_type: Some("m6i.large".to_owned()),
        image: Some("ubuntu-24.04".to_owned()),
        root_volume: None,
        spot: false,
        zone: Some(IN_ZONE.to_owned()),
        subnet: Some("a-public".to_owned()),
        firewall: Some(firewall.to_owned()),
        address: None,
        volume: None,
        network_interface: None,
        role: Some(role.to_owned()),
    }
}

/// A group with spare capacity.
pub(super) fn group() -> NodeGroup {
    NodeGroup {
        min: 1,
        max: 3,
        replicas: 2,
        max_surge: 1,
        subnets: vec!["a-private".to_owned()],
        firewall: "nodes".to_owned(),
        role: Some("node".to_owned()),
        machine_type: Some("m6i.large".to_owned()),
        types: vec!["m5.large".to_owned()],
        image: None,
        root_volume: None,
        kms_key: None,
        spot_share: Some(50),
        kubernetes_version: Version::new(1, 36, 2),
        labels: Labels::new(),
        taints: Vec::new(),
        settings: Digest::of_bytes(b"settings"),
    }
}

fn without_role() -> Machine {
    Machine {
        role: None,
        ..worker("nodes", "node")
    }
}

pub(super) fn balancer(port: u16) -> LoadBalancer {
    LoadBalancer {
        network: "main".to_owned(),
        subnets: vec!["a-public".to_owned()],
        port,
        public: true,
        allowed_cidrs: Vec::new(),
        firewall: Some("nodes".to_owned()),
    }
}
