//! Who may reach whom. On bare machines firewalls are the operator's.

use keelson_provider_api::kinds::{Firewall, FirewallRule, MachineRole, Protocol};
use keelson_provider_api::values::Cidr;
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{API_NAME, API_PORT, Blueprint};
use super::network;
use crate::plan::DesiredState;
use crate::spec::Family;

pub(super) const CONTROL_PLANE: &str = "control-plane";
pub(super) const ETCD: &str = "etcd";
pub(super) const NODES: &str = "nodes";
pub(super) const BASTION: &str = "bastion";

/// The port of VXLAN (RFC 7348, 8), as `templates/network/routes.sh` has it.
const OVERLAY_PORT: u16 = 4789;

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
pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    if !blueprint.is_cloud() {
        return;
    }
    let (control_plane, nodes) = (CONTROL_PLANE.to_owned(), NODES.to_owned());
    // Nodes too: a pod that asks kubelets, as metrics-server does, leaves its node under that node's address.
    let askers = [control_plane.clone(), nodes.clone()];
    let kubelet = rule("kubelet", Protocol::Tcp, (10250, 10250), askers);
    let mut add = |name: &str, rules: Vec<FirewallRule>| {
        let firewall = Firewall {
            network: network::network_name(blueprint),
            rules: FirewallRule::in_order(rules),
        };
        desired.add(ResourceKey::new(Kind::Firewall, name), firewall);
    };

    if blueprint.bastion.is_some() {
        let mut rules = vec![path_discovery()];
        rules.extend(ssh_from(ranges(&blueprint.spec.ssh.allowed_cidrs)));
        add(BASTION, rules);
    }
    if blueprint.spec.is_etcd_alone() {
        add(ETCD, rules_of_etcd_alone(blueprint));
        return;
    }
    let mut rules = api_rules(blueprint, &nodes);
    rules.push(kubelet.clone());
    let dedicated = blueprint
        .with_role(MachineRole::Etcd)
        .any(|machine| !machine.is(MachineRole::ControlPlane));
    if dedicated {
        let own = ETCD.to_owned();
        let mut rules = etcd_rules(blueprint, &[own, control_plane.clone()]);
        let everywhere = rules_everywhere(blueprint).into_iter();
        rules.extend(everywhere.filter(|rule| !rule.purpose.starts_with("pods")));
        add(ETCD, rules);
    } else {
        rules.extend(etcd_rules(blueprint, std::slice::from_ref(&control_plane)));
    }
    rules.extend(rules_everywhere(blueprint));
    add(CONTROL_PLANE, rules);

    let ports = blueprint.spec.api.service_node_port_range;
    let node_ports = (ports.first, ports.last);
    let mut rules = vec![
        kubelet,
        rule("node ports", Protocol::Tcp, node_ports, [control_plane, nodes]),
    ];
    rules.extend(rules_everywhere(blueprint));
    add(NODES, rules);
    if let Some(name) = of_api(blueprint) {
        add(name, balancer_rules(blueprint));
    }
}

/// Members reach each other, and whoever the spec lets in reaches them all: nobody where it names none.
fn rules_of_etcd_alone(blueprint: &Blueprint<'_>) -> Vec<FirewallRule> {
    let mut rules = etcd_rules(blueprint, &[ETCD.to_owned()]);
    let clients = ranges(&blueprint.spec.api.allowed_cidrs);
    if !clients.is_empty() {
        let instances = blueprint.spec.etcd.instances().iter();
        rules.extend(instances.map(|instance| {
            let port = instance.client_port;
            let purpose = format!("clients of {}", instance.cluster);
            rule(&purpose, Protocol::Tcp, (port, port), clients.clone())
        }));
    }
    let everywhere = rules_everywhere(blueprint).into_iter();
    rules.extend(everywhere.filter(|rule| !rule.purpose.starts_with("pods")));
    rules
}

/// The name of the firewall of what stands before the API, where balancers have one.
pub(super) fn of_api(blueprint: &Blueprint<'_>) -> Option<&'static str> {
    (blueprint.family == Family::Aws).then_some(API_NAME)
}

fn everyone() -> Vec<String> {
    vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()]
}

fn ranges(cidrs: &[Cidr]) -> Vec<String> {
    cidrs.iter().map(ToString::to_string).collect()
}

/// Those outside of the cluster who may call the Kubernetes API.
fn clients_rule(blueprint: &Blueprint<'_>) -> FirewallRule {
    let clients = match blueprint.spec.api.allowed_cidrs.as_slice() {
        [] => everyone(),
        allowed => ranges(allowed),
    };
    rule(
        "Kubernetes API for clients",
        Protocol::Tcp,
        (API_PORT, API_PORT),
        clients,
    )
}

/// Who may call the Kubernetes API on control planes. Where a balancer has a firewall, clients come through it alone.
fn api_rules(blueprint: &Blueprint<'_>, nodes: &str) -> Vec<FirewallRule> {
    let for_cluster =
        |purpose: &str, source: &str| rule(purpose, Protocol::Tcp, (API_PORT, API_PORT), [source.to_owned()]);
    let for_nodes = for_cluster("Kubernetes API for nodes", nodes);
    match of_api(blueprint) {
        Some(balancer) => vec![
            for_cluster("Kubernetes API for its balancer", balancer),
            for_nodes,
            for_cluster("Kubernetes API for control planes", CONTROL_PLANE),
        ],
        None => vec![clients_rule(blueprint), for_nodes],
    }
}

/// Who may call the balancer before the API.
fn balancer_rules(blueprint: &Blueprint<'_>) -> Vec<FirewallRule> {
    let port = (API_PORT, API_PORT);
    let machines = [CONTROL_PLANE.to_owned(), NODES.to_owned()];
    vec![
        clients_rule(blueprint),
        rule("Kubernetes API for machines", Protocol::Tcp, port, machines),
        path_discovery(),
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
    let mut rules = pods_rules(blueprint);
    rules.push(path_discovery());
    let sources = match blueprint.bastion {
        Some(_) => vec![BASTION.to_owned()],
        None => ranges(&blueprint.spec.ssh.allowed_cidrs),
    };
    rules.extend(ssh_from(sources));
    rules
}

/// What pods of other nodes send. Where that goes in packets of the nodes' own, no other packet bears a pod's address.
fn pods_rules(blueprint: &Blueprint<'_>) -> Vec<FirewallRule> {
    let from = |protocol, ports, source: &[String]| {
        rule("pods of other nodes", protocol, ports, source.iter().cloned())
    };
    if blueprint.has_overlay() {
        let nodes = [CONTROL_PLANE.to_owned(), NODES.to_owned()];
        return vec![from(Protocol::Udp, (OVERLAY_PORT, OVERLAY_PORT), &nodes)];
    }
    let pods = [blueprint.spec.network.pod_cidr.to_string()];
    vec![
        from(Protocol::Tcp, (1, 65535), &pods),
        from(Protocol::Udp, (1, 65535), &pods),
    ]
}

fn path_discovery() -> FirewallRule {
    rule("path MTU discovery", Protocol::Icmp, (0, 0), everyone())
}

fn ssh_from(sources: Vec<String>) -> Option<FirewallRule> {
    (!sources.is_empty()).then(|| rule("ssh", Protocol::Tcp, (22, 22), sources))
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::kinds::Resource;

    use super::*;
    use crate::spec::load;

    /// The rules for pods of other nodes on nodes and on control planes, which are the same.
    fn rules_for_pods(rest: &str) -> Vec<FirewallRule> {
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: a }}\nspec:\n  {rest}\n"
        );
        let spec = load(text.as_bytes(), "test").unwrap();
        let mut desired = DesiredState::default();
        build(&Blueprint::of(&spec), &mut desired);
        let of = |name: &str| -> Vec<FirewallRule> {
            let resource = &desired.resources[&ResourceKey::new(Kind::Firewall, name)].resource;
            let Resource::Firewall(firewall) = resource else {
                unreachable!()
            };
            let rules = firewall.rules.iter();
            let rules = rules.filter(|rule| rule.purpose == "pods of other nodes");
            rules.cloned().collect()
        };
        assert_eq!(of(NODES), of(CONTROL_PLANE));
        of(NODES)
    }

    #[test]
    fn nodes_let_in_what_pods_of_others_send_as_it_comes() {
        let aws = "provider: { simulated: { like: aws } }";
        let nodes = rule(
            "pods of other nodes",
            Protocol::Udp,
            (4789, 4789),
            [CONTROL_PLANE.to_owned(), NODES.to_owned()],
        );
        assert_eq!(rules_for_pods(aws), [nodes]);
        let pods = |protocol| {
            let sources = ["10.244.0.0/16".to_owned()];
            rule("pods of other nodes", protocol, (1, 65535), sources)
        };
        let by_address = [pods(Protocol::Tcp), pods(Protocol::Udp)];
        let plugin = "\n  network: { plugin: { name: mine, manifest: ./m.yaml } }";
        assert_eq!(rules_for_pods(&format!("{aws}{plugin}")), by_address);
        let other = "provider: { simulated: { like: digitalocean } }";
        assert_eq!(rules_for_pods(other), by_address);
    }

    #[test]
    fn the_port_of_the_overlay_is_that_of_the_program() {
        let program = include_str!("../../templates/network/routes.sh");
        let mut words = program.split_whitespace();
        words.find(|word| *word == "dstport").unwrap();
        assert_eq!(words.next(), Some(OVERLAY_PORT.to_string().as_str()));
    }
}
