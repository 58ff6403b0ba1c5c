//! How clients reach the API: a load balancer and a name in a cloud, a virtual address on bare machines.

use std::net::IpAddr;

use keelson_provider_api::kinds::{DnsRecord, LoadBalancer, LoadBalancerTarget, MachineRole, VirtualAddress};
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{API_NAME, API_PORT, Blueprint};
use super::firewalls;
use super::network;
use crate::plan::DesiredState;

const TTL_SECONDS: u32 = 60;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    if blueprint.spec.is_etcd_alone() {
        return;
    }
    if blueprint.is_cloud() {
        load_balancer(blueprint, desired);
    } else if let Some(address) = blueprint.virtual_address() {
        virtual_address(blueprint, address, desired);
    }
}

fn load_balancer(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    let key = ResourceKey::new(Kind::LoadBalancer, API_NAME);
    let firewall = firewalls::of_api(blueprint);
    let load_balancer = LoadBalancer {
        network: network::network_name(blueprint),
        subnets: network::subnets(blueprint, network::api_is_public(blueprint)),
        port: API_PORT,
        public: network::api_is_public(blueprint),
        allowed_cidrs: match firewall {
            Some(_) => Vec::new(),
            None => blueprint.spec.api.allowed_cidrs.clone(),
        },
        firewall: firewall.map(str::to_owned),
    };
    desired.add(key.clone(), load_balancer);
    if let (Some(name), Some(zone)) = (blueprint.api_host_name(), blueprint.spec.provider.domain()) {
        let record = DnsRecord {
            zone: zone.to_owned(),
            target: key,
            ttl_seconds: TTL_SECONDS,
        };
        desired.add(ResourceKey::new(Kind::DnsRecord, name), record);
    }
    for machine in blueprint.with_role(MachineRole::ControlPlane) {
        let target = LoadBalancerTarget {
            load_balancer: API_NAME.to_owned(),
            machine: machine.name.clone(),
        };
        desired.add(ResourceKey::new(Kind::LoadBalancerTarget, &*machine.name), target);
    }
}

fn virtual_address(blueprint: &Blueprint<'_>, address: IpAddr, desired: &mut DesiredState) {
    let machines = blueprint
        .with_role(MachineRole::ControlPlane)
        .map(|machine| machine.name.clone())
        .collect();
    desired.add_after(
        ResourceKey::new(Kind::VirtualAddress, API_NAME),
        VirtualAddress {
            address: address.to_string(),
            machines,
        },
        Vec::new(),
        blueprint.control_plane_keys(Kind::ControlPlane),
    );
}

/// What must be there before a worker can reach the API: all of the first, one of the second.
pub(super) fn reachable(blueprint: &Blueprint<'_>) -> (Vec<ResourceKey>, Vec<ResourceKey>) {
    if blueprint.is_cloud() {
        let name = blueprint
            .api_host_name()
            .map(|name| ResourceKey::new(Kind::DnsRecord, name));
        (
            name.into_iter().collect(),
            blueprint.control_plane_keys(Kind::LoadBalancerTarget),
        )
    } else if blueprint.virtual_address().is_some() {
        (vec![ResourceKey::new(Kind::VirtualAddress, API_NAME)], Vec::new())
    } else {
        (Vec::new(), blueprint.control_plane_keys(Kind::ControlPlane))
    }
}
