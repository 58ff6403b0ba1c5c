//! Network, subnets and the ways out of them. On bare machines the network is there already and not ours.

use keelson_provider_api::kinds::{NatGateway, Network, Subnet, Through, WayOut};
use keelson_provider_api::{Kind, ResourceKey};

use super::addresses;
use super::blueprint::Blueprint;
use crate::plan::DesiredState;
use crate::spec::{Family, Provider};

pub(super) const NETWORK: &str = "main";

/// The way out of public subnets.
const INTERNET: &str = "internet";

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    if !blueprint.is_cloud() {
        return;
    }
    let network = Network {
        region: region(&blueprint.spec.provider),
        cidr: blueprint.spec.network.machine_cidr,
    };
    desired.add(ResourceKey::new(Kind::Network, NETWORK), network);
    for (index, zone) in blueprint.spec.provider.zones().iter().enumerate() {
        for public in [false, true] {
            let Some(cidr) = addresses::subnet_range(blueprint.spec, index, public) else {
                continue;
            };
            let subnet = Subnet {
                network: NETWORK.to_owned(),
                zone: zone.clone(),
                cidr,
                public,
            };
            desired.add(ResourceKey::new(Kind::Subnet, subnet_name(zone, public)), subnet);
        }
    }
    if blueprint.family == Family::Aws {
        ways_out(blueprint, desired);
    }
}

/// Public subnets reach out through the network's own gateway. Where machines are private, each zone has a NAT gateway of its
/// own, so that the loss of one zone cuts off no other.
fn ways_out(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    let internet = ResourceKey::new(Kind::WayOut, INTERNET);
    let way_out = |subnets: Vec<String>, through: Through| WayOut {
        network: NETWORK.to_owned(),
        subnets,
        through,
    };
    desired.add(
        internet.clone(),
        way_out(public_subnets(blueprint), Through::Internet),
    );
    if addresses::machines_are_public(blueprint.spec) {
        return;
    }
    for zone in blueprint.spec.provider.zones() {
        let gateway = NatGateway {
            subnet: subnet_name(zone, true),
        };
        // It reaches the internet through its own subnet's way out.
        desired.add_after(
            ResourceKey::new(Kind::NatGateway, &**zone),
            gateway,
            vec![internet.clone()],
            Vec::new(),
        );
        let through = Through::NatGateway(zone.clone());
        desired.add(
            ResourceKey::new(Kind::WayOut, &**zone),
            way_out(vec![subnet_name(zone, false)], through),
        );
    }
}

/// The key of the way out of the subnet that machines of `zone` stand in, where networks have ways out.
pub(super) fn way_out(blueprint: &Blueprint<'_>, zone: &str, public: bool) -> Option<ResourceKey> {
    let name = if public { INTERNET } else { zone };
    (blueprint.family == Family::Aws).then(|| ResourceKey::new(Kind::WayOut, name))
}

fn region(provider: &Provider) -> String {
    match provider {
        Provider::Aws(aws) => aws.region.clone(),
        Provider::Digitalocean(digitalocean) => digitalocean.region.clone(),
        Provider::Simulated(_) | Provider::Ssh(_) => "simulated".to_owned(),
    }
}

/// The name of a subnet of `zone`.
pub(super) fn subnet_name(zone: &str, public: bool) -> String {
    format!("{zone}-{}", if public { "public" } else { "private" })
}

/// The subnets that can be reached from outside, one a zone.
pub(super) fn public_subnets(blueprint: &Blueprint<'_>) -> Vec<String> {
    let zones = blueprint.spec.provider.zones().iter();
    zones.map(|zone| subnet_name(zone, true)).collect()
}

/// The subnet of the machines in `zone`.
pub(super) fn machine_subnet(blueprint: &Blueprint<'_>, zone: &str) -> String {
    subnet_name(zone, addresses::machines_are_public(blueprint.spec))
}
