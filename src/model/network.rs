//! Network, subnets and the ways out of them. On bare machines the network is there already and not ours.

use keelson_provider_api::kinds::{NatGateway, Network, Subnet, Through, WayOut};
use keelson_provider_api::{Kind, ResourceKey};

use super::addresses;
use super::blueprint::Blueprint;
use crate::plan::DesiredState;
use crate::spec::{AwsLoadBalancer, AwsNat, Family, Provider};

const NETWORK: &str = "main";

/// The way out of public subnets.
const INTERNET: &str = "internet";
/// The way out of all private subnets where one NAT gateway serves them.
const SHARED: &str = "shared";

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    if !blueprint.is_cloud() {
        return;
    }
    let provider = &blueprint.spec.provider;
    if existing_network(provider).is_none() {
        let network = Network {
            region: region(provider),
            cidr: blueprint.spec.network.machine_cidr,
            has_gateway: true,
        };
        desired.add(ResourceKey::new(Kind::Network, NETWORK), network);
    }
    if !addresses::existing_subnets(provider).is_empty() {
        return;
    }
    for (index, zone) in provider.zones().iter().enumerate() {
        for public in [false, true] {
            let cidr = addresses::subnet_range(blueprint.spec, index, public);
            let Some(cidr) = cidr.filter(|_| is_needed(blueprint, public)) else {
                continue;
            };
            let subnet = Subnet {
                network: network_name(blueprint),
                zone: zone.clone(),
                cidr,
                public,
            };
            desired.add(
                ResourceKey::new(Kind::Subnet, subnet_name(blueprint, zone, public)),
                subnet,
            );
        }
    }
    if blueprint.family == Family::Aws {
        ways_out(blueprint, desired);
    }
}

/// The VPC that exists already and is only used. Such a one is called by its id, and nothing is planned for it.
fn existing_network(provider: &Provider) -> Option<&str> {
    match provider {
        Provider::Aws(aws) => aws.network.vpc.as_deref(),
        _ => None,
    }
}

/// The name of the network that all is in.
pub(super) fn network_name(blueprint: &Blueprint<'_>) -> String {
    let existing = existing_network(&blueprint.spec.provider);
    existing.unwrap_or(NETWORK).to_owned()
}

/// True where something stands in public or private subnets.
fn is_needed(blueprint: &Blueprint<'_>, public: bool) -> bool {
    let machines_are_public = addresses::machines_are_public(blueprint.spec);
    let has_api = !blueprint.spec.is_etcd_alone();
    if public {
        let through_them = blueprint
            .spec
            .provider
            .nat()
            .is_some_and(|nat| nat != AwsNat::None);
        machines_are_public
            || through_them
            || (has_api && api_is_public(blueprint))
            || blueprint.bastion.is_some()
    } else {
        !machines_are_public || (has_api && !api_is_public(blueprint))
    }
}

/// True where the balancer before the API is reached from outside.
pub(super) fn api_is_public(blueprint: &Blueprint<'_>) -> bool {
    match &blueprint.spec.provider {
        Provider::Aws(aws) => aws.api.load_balancer == AwsLoadBalancer::Public,
        _ => true,
    }
}

/// Public subnets reach out through the network's own gateway, private ones through NAT gateways.
fn ways_out(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    let zones = blueprint.spec.provider.zones();
    let way_out = |subnets: Vec<String>, through: Through| WayOut {
        network: network_name(blueprint),
        subnets,
        through,
    };
    let internet = ResourceKey::new(Kind::WayOut, INTERNET);
    if is_needed(blueprint, true) {
        let subnets = subnets(blueprint, true);
        desired.add(internet.clone(), way_out(subnets, Through::Internet));
    }
    let gateways = match blueprint.spec.provider.nat() {
        Some(AwsNat::Zone) => zones,
        Some(AwsNat::Single) => zones.get(..1).unwrap_or_default(),
        Some(AwsNat::None) | None => &[],
    };
    for zone in gateways {
        let gateway = NatGateway {
            subnet: subnet_name(blueprint, zone, true),
        };
        // It reaches the internet through its own subnet's way out.
        desired.add_after(
            ResourceKey::new(Kind::NatGateway, &**zone),
            gateway,
            vec![internet.clone()],
            Vec::new(),
        );
        let served = match blueprint.spec.provider.nat() {
            Some(AwsNat::Single) => subnets(blueprint, false),
            _ => vec![subnet_name(blueprint, zone, false)],
        };
        if let Some(key) = way_out_of(blueprint, zone, false) {
            desired.add(key, way_out(served, Through::NatGateway(zone.clone())));
        }
    }
}

/// The key of the way out of the public or the private subnet of `zone`, where keelson makes one.
pub(super) fn way_out_of(blueprint: &Blueprint<'_>, zone: &str, public: bool) -> Option<ResourceKey> {
    let provider = &blueprint.spec.provider;
    let name = match provider.nat() {
        _ if public => INTERNET,
        Some(AwsNat::Zone) => zone,
        Some(AwsNat::Single) => SHARED,
        Some(AwsNat::None) | None => return None,
    };
    let is_ours = addresses::existing_subnets(provider).is_empty();
    (blueprint.family == Family::Aws && is_ours).then(|| ResourceKey::new(Kind::WayOut, name))
}

fn region(provider: &Provider) -> String {
    match provider {
        Provider::Aws(aws) => aws.region.clone(),
        Provider::Digitalocean(digitalocean) => digitalocean.region.clone(),
        Provider::Simulated(_) | Provider::Ssh(_) => "simulated".to_owned(),
    }
}

/// The name of the public or the private subnet of `zone`; the id of one that exists already.
pub(super) fn subnet_name(blueprint: &Blueprint<'_>, zone: &str, public: bool) -> String {
    let existing = addresses::existing_subnets(&blueprint.spec.provider).get(zone);
    let existing = existing.and_then(|of_zone| {
        let subnet = if public { &of_zone.public } else { &of_zone.private };
        subnet.clone()
    });
    existing.unwrap_or_else(|| format!("{zone}-{}", if public { "public" } else { "private" }))
}

/// The public or the private subnets, one a zone, in the order of their names: clouds keep none.
pub(super) fn subnets(blueprint: &Blueprint<'_>, public: bool) -> Vec<String> {
    let zones = blueprint.spec.provider.zones().iter();
    let mut names: Vec<String> = zones.map(|zone| subnet_name(blueprint, zone, public)).collect();
    names.sort();
    names
}

/// The subnet of the machines in `zone`.
pub(super) fn machine_subnet(blueprint: &Blueprint<'_>, zone: &str) -> String {
    subnet_name(blueprint, zone, addresses::machines_are_public(blueprint.spec))
}
