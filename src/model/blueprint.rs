//! What every builder reads: the spec, and the machines that it comes to.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use keelson_provider_api::kinds::{self, MachineRole};
use keelson_provider_api::values::{ClusterName, Digest, Labels, Taint};
use keelson_provider_api::{Kind, ResourceKey};

use super::addresses;
use crate::spec::{
    ClusterSpec, ControlPlane, EtcdPlacement, Family, Host, HostRole, LOCAL_ADDRESS, Machine, NodeGroup,
    Plugin, ValidSpec,
};

/// The port of the Kubernetes API, on every control plane and at the endpoint
/// (<https://kubernetes.io/docs/reference/networking/ports-and-protocols/>).
pub const API_PORT: u16 = kinds::ControlPlane::API_PORT;

/// The name of what stands before the API: its load balancer or virtual address.
pub(super) const API_NAME: &str = "api";

/// The group of the control planes' machines.
const CONTROL_PLANE_GROUP: &str = kinds::Machine::CONTROL_PLANE_GROUP;
/// The group of the machine that people reach the others through.
const BASTION_GROUP: &str = kinds::Machine::BASTION_GROUP;
/// The group of machines that only run etcd.
pub(super) const ETCD_GROUP: &str = "etcd";

/// Where clients reach the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// At a name or address that the spec decides.
    Fixed {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// At the address of a load balancer, which only the cloud knows.
    LoadBalancer {
        /// The load balancer.
        key: ResourceKey,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { host, port } => formatter.write_str(&host_and_port(host, *port)),
            Self::LoadBalancer { key, port } => write!(formatter, "{key}:{port}"),
        }
    }
}

/// A name or address and a port as URLs have them: an address of IPv6 in brackets (RFC 3986, 3.2.2).
pub fn host_and_port(host: &str, port: u16) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// A spec and the machines that it comes to.
pub struct Blueprint<'a> {
    /// The cluster's name.
    pub name: &'a ClusterName,
    /// The spec, complete.
    pub spec: &'a ClusterSpec,
    /// What the provider is like.
    pub family: Family,
    /// What is trusted to vouch for the OpenID Connect provider, PEM, where the spec names a file.
    pub oidc_authority: Option<&'a str>,
    /// The digest of what vouches for etcd, where someone else runs it.
    pub etcd_authority: Option<Digest>,
    /// Every machine that has a name: control planes first, then etcd hosts, then workers, each by number or in the spec's
    /// order.
    pub machines: Vec<MachineBlueprint<'a>>,
    /// The groups of workers that the cloud keeps at their size; their machines are none of `machines`.
    pub groups: Vec<GroupBlueprint<'a>>,
    /// The machine that people reach the others through, where there is one. It runs nothing of the cluster.
    pub bastion: Option<MachineBlueprint<'a>>,
}

/// A group of workers that the cloud keeps at its size.
pub struct GroupBlueprint<'a> {
    /// What the spec says of it.
    pub spec: &'a NodeGroup,
    /// The zones that its machines are spread over.
    pub zones: &'a [String],
    /// Any of its machines, as far as they are all alike: it bears the group's name.
    pub machine: MachineBlueprint<'a>,
}

/// One machine that a spec comes to.
pub struct MachineBlueprint<'a> {
    /// The machine's name, which is its node's name.
    pub name: String,
    /// The group it belongs to.
    pub group: String,
    /// What it is for.
    pub roles: BTreeSet<MachineRole>,
    /// What it is to be like, where keelson makes it.
    pub machine: Option<&'a Machine>,
    /// True for a machine that the cloud may take back.
    pub spot: bool,
    /// True for any machine of a group that the cloud keeps at its size: they join by themselves, and what is a single one's own
    /// nobody but itself knows.
    pub joins_by_itself: bool,
    /// The zone it is in, where there are zones.
    pub zone: Option<String>,
    /// The address it answers to, where keelson does not make it.
    pub address: Option<String>,
    /// The address that the other machines reach it at, where that is known before the machine is there.
    pub internal_address: Option<IpAddr>,
    /// Labels of its node.
    pub labels: Labels,
    /// Taints of its node.
    pub taints: Vec<Taint>,
}

impl MachineBlueprint<'_> {
    /// True when the machine has that role.
    pub fn is(&self, role: MachineRole) -> bool {
        self.roles.contains(&role)
    }

    /// True when the machine runs a kubelet.
    pub fn runs_kubelet(&self) -> bool {
        self.is(MachineRole::ControlPlane) || self.is(MachineRole::Worker)
    }
}

impl<'a> Blueprint<'a> {
    /// The blueprint of a spec.
    pub fn of(spec: &'a ValidSpec) -> Self {
        let cluster = spec.spec();
        let machines = if cluster.provider.hosts().is_empty() {
            made(cluster)
        } else {
            claimed(cluster)
        };
        Self {
            name: spec.name(),
            spec: cluster,
            family: cluster.provider.family(),
            oidc_authority: spec.oidc_authority(),
            etcd_authority: spec.etcd_authority(),
            machines,
            groups: groups(cluster),
            bastion: bastion(cluster),
        }
    }

    /// Every machine, and the bastion.
    pub(super) fn all_machines(&self) -> impl Iterator<Item = &MachineBlueprint<'a>> {
        self.machines.iter().chain(&self.bastion)
    }

    /// True when keelson makes machines and what is around them.
    pub fn is_cloud(&self) -> bool {
        self.family != Family::Ssh
    }

    /// The machines with that role.
    pub fn with_role(&self, role: MachineRole) -> impl Iterator<Item = &MachineBlueprint<'a>> {
        self.machines.iter().filter(move |machine| machine.is(role))
    }

    /// Every machine that has a name, and of each group that the cloud keeps at its size any one.
    pub fn machines_and_any_of_groups(&self) -> impl Iterator<Item = &MachineBlueprint<'a>> {
        self.machines.iter().chain(self.any_of_groups())
    }

    /// Of each group that the cloud keeps at its size, any machine.
    pub(super) fn any_of_groups(&self) -> impl Iterator<Item = &MachineBlueprint<'a>> {
        self.groups.iter().map(|group| &group.machine)
    }

    /// The keys of `kind` that bear the names of the control planes' machines.
    pub fn control_plane_keys(&self, kind: Kind) -> Vec<ResourceKey> {
        self.with_role(MachineRole::ControlPlane)
            .map(|machine| ResourceKey::new(kind, &*machine.name))
            .collect()
    }

    /// The name of the API in DNS, when the spec names a zone for it.
    pub fn api_host_name(&self) -> Option<String> {
        let domain = self.spec.provider.domain()?;
        let name = self.name.as_str();
        let inside = name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        Some(if inside {
            format!("api.{name}")
        } else {
            format!("api.{name}.{domain}")
        })
    }

    /// Where clients reach the API.
    pub fn endpoint(&self) -> Endpoint {
        let first_host = || {
            let mut control_planes = self.with_role(MachineRole::ControlPlane);
            let machine = control_planes.next().filter(|_| !self.is_cloud())?;
            // What is local to keelson has another name for those who use the cluster.
            let own = machine.internal_address.map(|address| address.to_string());
            let address = machine.address.clone();
            address.filter(|address| address != LOCAL_ADDRESS).or(own)
        };
        let host = self
            .api_host_name()
            .or_else(|| self.spec.provider.api_host().map(str::to_owned))
            .or_else(first_host);
        match host {
            Some(host) => Endpoint::Fixed { host, port: API_PORT },
            None => Endpoint::LoadBalancer {
                key: ResourceKey::new(Kind::LoadBalancer, API_NAME),
                port: API_PORT,
            },
        }
    }

    /// True where pods of different nodes reach each other in packets of the nodes' own. EC2 drops what bears another address
    /// than the machine's, and its subnets know no way to pods
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html#EIP_Disable_SrcDestCheck>).
    pub(super) fn has_overlay(&self) -> bool {
        self.family == Family::Aws && matches!(self.spec.network.plugin, Plugin::Routed)
    }

    /// The virtual IP address that the control planes hold in turn, where the API is reached through one.
    pub fn virtual_address(&self) -> Option<IpAddr> {
        self.spec
            .provider
            .api_address()
            .filter(|_| !self.is_cloud())?
            .moved()
    }
}

fn stacked(spec: &ClusterSpec) -> bool {
    matches!(spec.etcd.placement, EtcdPlacement::Stacked)
}

fn control_plane_roles(spec: &ClusterSpec) -> BTreeSet<MachineRole> {
    let etcd = stacked(spec).then_some(MachineRole::Etcd);
    [MachineRole::ControlPlane].into_iter().chain(etcd).collect()
}

/// The machines that keelson makes: so many of each group, spread over the zones.
fn made(spec: &ClusterSpec) -> Vec<MachineBlueprint<'_>> {
    let zones = spec.provider.zones();
    let zone_of = |number: u32| zone_index(zones, number);
    let one = |group: &str, number: u32, roles: &BTreeSet<MachineRole>, machine| MachineBlueprint {
        name: format!("{group}-{number}"),
        group: group.to_owned(),
        roles: roles.clone(),
        machine: Some(machine),
        spot: false,
        joins_by_itself: false,
        zone: spread(zones, number),
        address: None,
        internal_address: addresses::that_stays(spec, group, number, zone_of(number)),
        labels: Labels::new(),
        taints: Vec::new(),
    };
    let mut machines = Vec::new();
    let control_plane = &spec.control_plane;
    let roles = control_plane_roles(spec);
    machines.extend((1..=control_plane.replicas).map(|number| MachineBlueprint {
        labels: control_plane.labels.clone(),
        taints: control_plane_taints(control_plane),
        ..one(CONTROL_PLANE_GROUP, number, &roles, &control_plane.machine)
    }));
    if let EtcdPlacement::Dedicated(dedicated) = &spec.etcd.placement {
        let roles = BTreeSet::from([MachineRole::Etcd]);
        machines.extend(
            (1..=dedicated.replicas).map(|number| one(ETCD_GROUP, number, &roles, &dedicated.machine)),
        );
    }
    if keeps_groups(spec) {
        return machines;
    }
    let roles = BTreeSet::from([MachineRole::Worker]);
    for group in &spec.node_groups {
        machines.extend((1..=group.replicas).map(|number| MachineBlueprint {
            spot: group.spot,
            labels: group.labels.clone(),
            taints: group.taints.clone(),
            ..one(group.name.as_str(), number, &roles, &group.machine)
        }));
    }
    machines
}

/// True where the cloud keeps groups at their size.
fn keeps_groups(spec: &ClusterSpec) -> bool {
    spec.provider.family() == Family::Aws
}

fn groups(spec: &ClusterSpec) -> Vec<GroupBlueprint<'_>> {
    let of = |group: &'_ NodeGroup| MachineBlueprint {
        name: group.name.to_string(),
        group: group.name.to_string(),
        roles: BTreeSet::from([MachineRole::Worker]),
        machine: None,
        spot: group.spot,
        joins_by_itself: true,
        zone: None,
        address: None,
        internal_address: None,
        labels: group.labels.clone(),
        taints: group.taints.clone(),
    };
    let groups = spec.node_groups.iter().filter(|_| keeps_groups(spec));
    groups
        .map(|group| GroupBlueprint {
            spec: group,
            zones: if group.zones.is_empty() {
                spec.provider.zones()
            } else {
                &group.zones
            },
            machine: of(group),
        })
        .collect()
}

fn zone_index(zones: &[String], number: u32) -> usize {
    (number as usize - 1) % zones.len().max(1)
}

/// The zone of the machine of that number.
fn spread(zones: &[String], number: u32) -> Option<String> {
    zones.get(zone_index(zones, number)).cloned()
}

/// The machine that people reach the others through: a small one in the first zone.
fn bastion(spec: &ClusterSpec) -> Option<MachineBlueprint<'_>> {
    (spec.ssh.bastion && spec.provider.family() == Family::Aws).then(|| MachineBlueprint {
        name: format!("{BASTION_GROUP}-1"),
        group: BASTION_GROUP.to_owned(),
        roles: BTreeSet::from([MachineRole::Bastion]),
        machine: None,
        spot: false,
        joins_by_itself: false,
        zone: spec.provider.zones().first().cloned(),
        address: None,
        internal_address: None,
        labels: Labels::new(),
        taints: Vec::new(),
    })
}

/// The machines that stand there already.
fn claimed(spec: &ClusterSpec) -> Vec<MachineBlueprint<'_>> {
    let mut machines: Vec<_> = spec
        .provider
        .hosts()
        .iter()
        .map(|host| claimed_host(spec, host))
        .collect();
    let rank = |machine: &MachineBlueprint<'_>| {
        (
            !machine.is(MachineRole::ControlPlane),
            !machine.is(MachineRole::Etcd),
        )
    };
    machines.sort_by_key(rank);
    machines
}

fn claimed_host<'a>(spec: &'a ClusterSpec, host: &Host) -> MachineBlueprint<'a> {
    let group = group_of_host(spec, host);
    let mut roles = BTreeSet::new();
    if host.is(HostRole::ControlPlane) {
        roles.extend(control_plane_roles(spec));
    }
    if host.is(HostRole::Etcd) {
        roles.insert(MachineRole::Etcd);
    }
    if host.is(HostRole::Worker) {
        roles.insert(MachineRole::Worker);
    }
    let serves_api = host.is(HostRole::ControlPlane);
    let (name, labels, taints) = match group {
        _ if serves_api => {
            let labels = spec.control_plane.labels.clone();
            let taints = control_plane_taints(&spec.control_plane);
            // A control plane that is a worker too takes workloads, unless the spec taints it by other taints.
            let is_default = taints == [ControlPlane::default_taint()];
            let taints = if host.is(HostRole::Worker) && is_default {
                Vec::new()
            } else {
                taints
            };
            (CONTROL_PLANE_GROUP, labels, taints)
        }
        Some(group) => (group.name.as_str(), group.labels.clone(), group.taints.clone()),
        None => (ETCD_GROUP, Labels::new(), Vec::new()),
    };
    MachineBlueprint {
        name: host.name.to_string(),
        group: name.to_owned(),
        roles,
        machine: None,
        spot: false,
        joins_by_itself: false,
        zone: None,
        address: Some(host.address.clone()),
        internal_address: host.internal_address(),
        labels,
        taints,
    }
}

fn group_of_host<'a>(spec: &'a ClusterSpec, host: &Host) -> Option<&'a NodeGroup> {
    if !host.is(HostRole::Worker) {
        return None;
    }
    match &host.group {
        Some(name) => spec.node_groups.iter().find(|group| group.name == *name),
        None => spec.node_groups.first(),
    }
}

fn control_plane_taints(control_plane: &ControlPlane) -> Vec<Taint> {
    control_plane
        .taints
        .clone()
        .unwrap_or_else(|| vec![ControlPlane::default_taint()])
}
