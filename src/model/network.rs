//! Network, subnets and firewalls. On bare machines the network is there already and not ours.

use keelson_provider_api::kinds::{Firewall, FirewallRule, MachineRole, Network, Protocol, Subnet};
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{API_PORT, Blueprint};
use crate::plan::DesiredState;
use crate::spec::{AwsTopology, Provider};

pub(super) const NETWORK: &str = "main";
pub(super) const CONTROL_PLANE_FIREWALL: &str = "control-plane";
pub(super) const ETCD_FIREWALL: &str = "etcd";
pub(super) const NODES_FIREWALL: &str = "nodes";

/// How many bits longer a subnet's prefix is than the network's: room for 16 subnets, so 8 zones of two.
const SUBNET_BITS: u8 = 4;
const FIRST_PUBLIC_SUBNET: usize = 8;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    if !blueprint.is_cloud() {
        return;
    }
    let cidr = blueprint.spec.network.machine_cidr;
    let network = Network {
        region: region(&blueprint.spec.provider),
        cidr,
    };
    desired.add(ResourceKey::new(Kind::Network, NETWORK), network);
    for (index, zone) in blueprint.spec.provider.zones().iter().enumerate() {
        for (public, index) in [(false, index), (true, FIRST_PUBLIC_SUBNET + index)] {
            let Some(cidr) = cidr.subnet(cidr.prefix_length() + SUBNET_BITS, index) else {
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
    firewalls(blueprint, desired);
}

fn region(provider: &Provider) -> String {
    match provider {
        Provider::Aws(aws) => aws.region.clone(),
        Provider::Digitalocean(digitalocean) => digitalocean.region.clone(),
        Provider::Simulated(_) | Provider::Ssh(_) => "simulated".to_owned(),
    }
}

fn subnet_name(zone: &str, public: bool) -> String {
    format!("{zone}-{}", if public { "public" } else { "private" })
}

/// The subnets that can be reached from outside, one a zone.
pub(super) fn public_subnets(blueprint: &Blueprint<'_>) -> Vec<String> {
    let zones = blueprint.spec.provider.zones().iter();
    zones.map(|zone| subnet_name(zone, true)).collect()
}

/// The subnet of the machines in `zone`.
pub(super) fn machine_subnet(blueprint: &Blueprint<'_>, zone: &str) -> String {
    let public =
        matches!(&blueprint.spec.provider, Provider::Aws(aws) if aws.topology == AwsTopology::Public);
    subnet_name(zone, public)
}

fn rule(
    purpose: &str,
    protocol: Protocol,
    ports: (u16, u16),
    sources: impl IntoIterator<Item = String>,
) -> FirewallRule {
    FirewallRule {
        purpose: purpose.to_owned(),
        protocol,
        ports,
        sources: sources.into_iter().collect(),
    }
}

/// Allow-lists: what is not named here is refused. kops lets nodes reach every port of control planes but etcd's
/// (<https://github.com/kubernetes/kops/tree/master/tests/integration/update_cluster/privatecalico>).
fn firewalls(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    let (control_plane, nodes) = (CONTROL_PLANE_FIREWALL.to_owned(), NODES_FIREWALL.to_owned());
    let kubelet = rule("kubelet", Protocol::Tcp, (10250, 10250), [control_plane.clone()]);
    let mut add = |name: &str, rules: Vec<FirewallRule>| {
        let firewall = Firewall {
            network: NETWORK.to_owned(),
            rules,
        };
        desired.add(ResourceKey::new(Kind::Firewall, name), firewall);
    };

    let mut rules = api_rules(blueprint, &nodes);
    rules.push(kubelet.clone());
    let dedicated = blueprint
        .with_role(MachineRole::Etcd)
        .any(|machine| !machine.is(MachineRole::ControlPlane));
    if dedicated {
        let own = ETCD_FIREWALL.to_owned();
        let mut rules = etcd_rules(blueprint, &[own, control_plane.clone()]);
        let everywhere = rules_everywhere(blueprint).into_iter();
        rules.extend(everywhere.filter(|rule| !rule.purpose.starts_with("pods")));
        add(ETCD_FIREWALL, rules);
    } else {
        rules.extend(etcd_rules(blueprint, std::slice::from_ref(&control_plane)));
    }
    rules.extend(rules_everywhere(blueprint));
    add(CONTROL_PLANE_FIREWALL, rules);

    let ports = blueprint.spec.api.service_node_port_range;
    let node_ports = (ports.first, ports.last);
    let mut rules = vec![
        kubelet,
        rule("node ports", Protocol::Tcp, node_ports, [control_plane, nodes]),
    ];
    rules.extend(rules_everywhere(blueprint));
    add(NODES_FIREWALL, rules);
}

fn everyone() -> Vec<String> {
    vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()]
}

/// Who may call the Kubernetes API.
fn api_rules(blueprint: &Blueprint<'_>, nodes: &str) -> Vec<FirewallRule> {
    let clients = match blueprint.spec.api.allowed_cidrs.as_slice() {
        [] => everyone(),
        allowed => allowed.iter().map(ToString::to_string).collect(),
    };
    let port = (API_PORT, API_PORT);
    vec![
        rule("Kubernetes API for clients", Protocol::Tcp, port, clients),
        rule(
            "Kubernetes API for nodes",
            Protocol::Tcp,
            port,
            [nodes.to_owned()],
        ),
    ]
}

fn etcd_rules(blueprint: &Blueprint<'_>, sources: &[String]) -> Vec<FirewallRule> {
    let instances = blueprint.spec.etcd.instances().iter();
    let rules = instances.map(|instance| {
        let purpose = match instance.cluster {
            "main" => "etcd".to_owned(),
            other => format!("etcd of {other}"),
        };
        let ports = (instance.client_port, instance.peer_port);
        rule(&purpose, Protocol::Tcp, ports, sources.to_vec())
    });
    rules.collect()
}

/// What every machine lets in.
fn rules_everywhere(blueprint: &Blueprint<'_>) -> Vec<FirewallRule> {
    let pods = blueprint.spec.network.pod_cidr.to_string();
    let mut rules = vec![
        rule("pods of other nodes", Protocol::Tcp, (1, 65535), [pods.clone()]),
        rule("pods of other nodes", Protocol::Udp, (1, 65535), [pods]),
        rule("path MTU discovery", Protocol::Icmp, (0, 0), everyone()),
    ];
    let ssh = &blueprint.spec.ssh.allowed_cidrs;
    if !ssh.is_empty() {
        let sources = ssh.iter().map(ToString::to_string);
        rules.push(rule("ssh", Protocol::Tcp, (22, 22), sources));
    }
    rules
}
