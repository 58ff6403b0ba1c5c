//! Address ranges and the network plugin.

use keelson_provider_api::values::Cidr;

use super::Found;
use super::addons::check_pinned;
use crate::spec::check::counted;
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::types::{ClusterSpec, Family, Network, Plugin};

/// The ranges in use: field and range. Bare hosts have no machine range.
fn ranges(spec: &ClusterSpec) -> Vec<(&'static str, Cidr)> {
    let network = &spec.network;
    let mut ranges = vec![
        ("podCIDR", network.pod_cidr),
        ("serviceCIDR", network.service_cidr),
    ];
    if spec.provider.family() != Family::Ssh {
        ranges.push(("machineCIDR", network.machine_cidr));
    }
    ranges
}

pub(super) fn ranges_are_apart(spec: &ClusterSpec, found: &mut Found) {
    let default = Network::default();
    let defaults = [default.pod_cidr, default.service_cidr, default.machine_cidr];
    let ranges = ranges(spec);
    for (index, later) in ranges.iter().enumerate() {
        for earlier in ranges
            .iter()
            .take(index)
            .filter(|earlier| earlier.1.overlaps(later.1))
        {
            // The one that was chosen is the one to change.
            let is_default = |range: &Cidr| defaults.contains(range);
            let ((field, range), (other_field, other)) = if is_default(&later.1) && !is_default(&earlier.1) {
                (earlier, later)
            } else {
                (later, earlier)
            };
            found.error(
                Finding::new(
                    path_of!("spec", "network", *field),
                    format!("`{range}` overlaps the {other_field} {other}"),
                )
                .help("pods, Services and machines need ranges of their own"),
            );
        }
    }
    if spec.provider.family() == Family::Ssh && spec.network.machine_cidr != default.machine_cidr {
        found.error(
            Finding::new(
                path_of!("spec", "network", "machineCIDR"),
                "bare hosts have their own network already",
            )
            .help("remove the field"),
        );
    }
}

/// API servers and nodes are reached at the machines' addresses, which have to be of the family of Services.
pub(super) fn ranges_are_of_one_family(spec: &ClusterSpec, found: &mut Found) {
    let (pods, services, machines) = (
        spec.network.pod_cidr,
        spec.network.service_cidr,
        spec.network.machine_cidr,
    );
    let mut differ = |field: &'static str, problem: &str, help: &str| {
        found.error(Finding::new(path_of!("spec", "network", field), problem).help(help));
    };
    if pods.is_ipv4() != services.is_ipv4() {
        differ(
            "serviceCIDR",
            "pods and Services have addresses of different families",
            "use IPv4 for both, or IPv6 for both",
        );
    } else if spec.provider.family() != Family::Ssh && machines.is_ipv4() && !services.is_ipv4() {
        differ(
            "serviceCIDR",
            "pods and Services have IPv6 addresses, and machines of a cloud have IPv4 ones",
            "use IPv4 ranges for `podCIDR` and `serviceCIDR`",
        );
    }
}

/// Ranges with a meaning of their own (RFC 6890) in which no pod, Service or machine can live.
const UNUSABLE: &[(&str, [u8; 4], u8)] = &[
    ("this network", [0, 0, 0, 0], 8),
    ("loopback", [127, 0, 0, 0], 8),
    ("link-local addresses", [169, 254, 0, 0], 16),
    ("multicast", [224, 0, 0, 0], 4),
    ("reserved addresses", [240, 0, 0, 0], 4),
];

/// Ranges for private use (RFC 1918, RFC 6598) and for documentation, tests and benchmarks, which are nobody's.
const PRIVATE: &[([u8; 4], u8)] = &[
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([100, 64, 0, 0], 10),
    ([198, 18, 0, 0], 15),
];

pub(super) fn ranges_are_usable(spec: &ClusterSpec, found: &mut Found) {
    for (field, range) in ranges(spec) {
        let path = path_of!("spec", "network", field);
        let taken = UNUSABLE
            .iter()
            .find(|(_, address, length)| range.overlaps(Cidr::ipv4(*address, *length)));
        if let Some((meaning, address, length)) = taken {
            let problem = format!(
                "`{range}` overlaps {}, which is for {meaning}",
                Cidr::ipv4(*address, *length)
            );
            found.error(Finding::new(path, problem).help("use a private range, such as one of 10.0.0.0/8"));
            continue;
        }
        let is_inside = |(address, length): &([u8; 4], u8)| {
            let private = Cidr::ipv4(*address, *length);
            private.overlaps(range) && private.prefix_length() <= range.prefix_length()
        };
        if range.is_ipv4() && !PRIVATE.iter().any(is_inside) {
            let problem =
                format!("`{range}` is not a private range: its owners cannot be reached from the cluster");
            found.warn(Finding::new(path, problem).help("use a private range, such as one of 10.0.0.0/8"));
        }
    }
}

/// kubeadm's limits: at least 10 addresses, at most 20 host bits; a node's range at most 16 bits longer than the
/// pods' range.
const SERVICE_HOST_BITS: std::ops::RangeInclusive<u8> = 4..=20;
const POD_NODE_BITS_LIMIT: u8 = 16;
/// What clouds make networks of: AWS and DigitalOcean both between /16 and /28.
const MACHINE_PREFIX: std::ops::RangeInclusive<u8> = 16..=28;
/// The smallest network with zones: each of its sixteen subnets has room for the addresses that stay.
const AWS_LONGEST_PREFIX: u8 = 23;

pub(super) fn ranges_are_large_enough(spec: &ClusterSpec, found: &mut Found) {
    let network = &spec.network;
    let services = network.service_cidr;
    if !SERVICE_HOST_BITS.contains(&services.host_bits()) {
        let (problem, longest, shortest) = if services.is_ipv4() {
            (size_of(services), 12, 28)
        } else {
            (size_of(services), 108, 124)
        };
        found.error(
            Finding::new(path_of!("spec", "network", "serviceCIDR"), problem)
                .expected(format!("a prefix between /{longest} and /{shortest}")),
        );
    }
    let pods = network.pod_cidr;
    let node_prefix: u8 = if pods.is_ipv4() { 24 } else { 64 };
    let path = path_of!("spec", "network", "podCIDR");
    let bits = i16::from(node_prefix) - i16::from(pods.prefix_length());
    if bits > i16::from(POD_NODE_BITS_LIMIT) {
        let problem = format!("`{pods}` is too large: Kubernetes cuts it into at most 65536 node ranges");
        let least = node_prefix - POD_NODE_BITS_LIMIT;
        found.error(Finding::new(path, problem).expected(format!("a prefix of at least /{least}")));
    } else {
        let room = u32::try_from(bits).map_or(0, |bits| 1_u64 << bits);
        let nodes = most_nodes(spec);
        if nodes > room {
            let finding = Finding::new(
                path,
                format!(
                    "`{pods}` has room for {}, and there can be {nodes}",
                    counted(room, "node")
                ),
            );
            let needed = u8::try_from(nodes.next_power_of_two().trailing_zeros()).unwrap_or(u8::MAX);
            found.error(match node_prefix.checked_sub(needed) {
                Some(longest) if needed <= POD_NODE_BITS_LIMIT => finding.expected(format!(
                    "a prefix of at most /{longest}: each node takes a /{node_prefix}"
                )),
                _ => finding.help("no range has room for so many nodes"),
            });
        }
    }
    let machines = network.machine_cidr;
    if spec.provider.family() != Family::Ssh {
        let path = path_of!("spec", "network", "machineCIDR");
        if !machines.is_ipv4() {
            found.error(Finding::new(path, format!("`{machines}` is not an IPv4 range")));
        } else if !MACHINE_PREFIX.contains(&machines.prefix_length()) {
            found.error(Finding::new(path, size_of(machines)).expected("a prefix between /16 and /28"));
        } else if spec.provider.family() == Family::Aws && machines.prefix_length() > AWS_LONGEST_PREFIX {
            found.error(Finding::new(path, size_of(machines)).expected(format!(
                "a prefix between /16 and /{AWS_LONGEST_PREFIX}: each zone takes two sixteenths of it, and addresses that stay \
                 a half of each of those"
            )));
        }
    }
}

fn size_of(range: Cidr) -> String {
    let size = if range.host_bits() < 8 { "small" } else { "large" };
    format!("`{range}` is too {size}")
}

/// The largest number of nodes that the spec allows.
fn most_nodes(spec: &ClusterSpec) -> u64 {
    let workers = spec
        .node_groups
        .iter()
        .map(|group| u64::from(group.max.unwrap_or(0).max(group.replicas)));
    // A number of control planes that cannot be is reported by its own rule.
    u64::from(spec.control_plane.replicas.min(7)) + workers.sum::<u64>()
}

pub(super) fn plugin_is_pinned(spec: &ClusterSpec, found: &mut Found) {
    if let Plugin::Custom(custom) = &spec.network.plugin {
        let path = path_of!("spec", "network", "plugin");
        check_pinned(&path, &custom.manifest, custom.sha256.is_some(), found);
    }
}
