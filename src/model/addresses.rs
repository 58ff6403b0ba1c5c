//! Subnets of a network that is spread over zones, and the addresses in them that stay.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keelson_provider_api::kinds;
use keelson_provider_api::values::Cidr;

use super::blueprint::ETCD_GROUP;
use crate::spec::{AwsSubnets, AwsTopology, ClusterSpec, Family, Provider};

/// How many bits longer a subnet's prefix is than the network's: room for 16 subnets, so 8 zones of two.
const SUBNET_BITS: u8 = 4;
const FIRST_PUBLIC_SUBNET: usize = 8;

/// Where the addresses of control planes begin in each subnet: AWS keeps the first four and the last one
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>). There is room for 12 of them.
const FIRST_CONTROL_PLANE: u32 = 4;
/// Where the addresses of machines that only run etcd begin. There is room for 15 of them in the smallest subnet that holds
/// any, and both are in one block of 32.
const FIRST_ETCD: u32 = 16;
const LAST: u32 = 30;

/// The range of the subnet in the zone of that index.
pub(super) fn subnet_range(spec: &ClusterSpec, zone: usize, public: bool) -> Option<Cidr> {
    let network = spec.network.machine_cidr;
    let index = if public { FIRST_PUBLIC_SUBNET + zone } else { zone };
    network.subnet(network.prefix_length() + SUBNET_BITS, index)
}

/// The subnets that exist already and are only used, by zone.
pub(super) fn existing_subnets(provider: &Provider) -> &BTreeMap<String, AwsSubnets> {
    static NONE: BTreeMap<String, AwsSubnets> = BTreeMap::new();
    match provider {
        Provider::Aws(aws) => &aws.network.subnets,
        _ => &NONE,
    }
}

/// True where machines stand in subnets that can be reached from outside.
pub(super) fn machines_are_public(spec: &ClusterSpec) -> bool {
    spec.provider.topology() == Some(AwsTopology::Public)
}

/// The address that the machine of that number in `group` has in the zone of that index, whichever machine it is and however
/// many the group has. `None` for machines whose addresses come and go with them, and in subnets that are not keelson's, whose
/// ranges are not known.
pub(super) fn that_stays(spec: &ClusterSpec, group: &str, number: u32, zone: usize) -> Option<IpAddr> {
    if spec.provider.family() != Family::Aws || !existing_subnets(&spec.provider).is_empty() {
        return None;
    }
    let first = match group {
        kinds::Machine::CONTROL_PLANE_GROUP => FIRST_CONTROL_PLANE,
        ETCD_GROUP => FIRST_ETCD,
        _ => return None,
    };
    let offset = first.checked_add(number.checked_sub(1)?)?;
    let end = if first == FIRST_CONTROL_PLANE {
        FIRST_ETCD
    } else {
        LAST + 1
    };
    if offset >= end {
        return None;
    }
    subnet_range(spec, zone, machines_are_public(spec))?.address_at(offset)
}
