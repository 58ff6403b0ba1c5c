//! What keeps machines from hearing each other, and pods.

use keelson_provider_api::kinds::MachineRole;

use super::checks::{Problem, Subject};

/// As kubeadm's `FirewalldCheck`: what it lets through is its administrators' to say.
pub(super) fn firewall(subject: &Subject<'_>) -> Problem {
    let problems: Vec<String> = closed_ports(subject)
        .into_iter()
        .chain(dropped_pods(subject))
        .collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

fn closed_ports(subject: &Subject<'_>) -> Problem {
    let firewalls: Vec<&str> = subject.facts.firewalls.iter().map(String::as_str).collect();
    if firewalls.is_empty() {
        return None;
    }
    let ports = subject.needs.ports(subject.roles).into_keys();
    let ports: Vec<String> = ports.map(|port| port.to_string()).collect();
    let speaks_vrrp = subject.needs.has_virtual_address && subject.is(MachineRole::ControlPlane);
    let vrrp = if speaks_vrrp {
        ", and IP protocol 112 (VRRP), by which the control planes agree on who has the API's address"
    } else {
        ""
    };
    Some(format!(
        "{} may close ports that the cluster needs: {}{vrrp}",
        firewalls.join(" and "),
        ports.join(", ")
    ))
}

/// Whether a rule accepts them, its administrators know: one may name links, marks or addresses.
fn dropped_pods(subject: &Subject<'_>) -> Problem {
    let pods = subject.needs.routed_pods.filter(|_| subject.is_node())?;
    let family = if pods.is_ipv4() { "ip" } else { "ip6" };
    subject.facts.drops_forwarded.contains(family).then(|| {
        format!(
            "its chain FORWARD drops what no rule accepts: pods of different nodes ({pods}) may not hear each other"
        )
    })
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::ClusterIdentity;

    use super::super::HostNeeds;
    use super::*;
    use crate::facts::Facts;

    fn found(roles: &[MachineRole], facts: &Facts, needs: &HostNeeds) -> Problem {
        let cluster = ClusterIdentity {
            name: "prod".parse().unwrap(),
            uid: None,
        };
        firewall(&Subject {
            name: "a",
            cluster: &cluster,
            roles: &roles.iter().copied().collect(),
            facts,
            needs,
        })
    }

    fn needs(pods: &str, has_virtual_address: bool) -> HostNeeds {
        HostNeeds {
            routed_pods: Some(pods.parse().unwrap()),
            has_virtual_address,
            ..HostNeeds::default()
        }
    }

    #[test]
    fn a_firewall_is_to_let_vrrp_through_where_an_address_moves() {
        let facts = Facts {
            firewalls: ["firewalld", "ufw"].map(str::to_owned).into(),
            ..Facts::default()
        };
        let of = |roles: &[MachineRole], moves: bool| found(roles, &facts, &needs("10.244.0.0/16", moves));
        assert_eq!(
            of(&[MachineRole::Worker], true).unwrap(),
            "firewalld and ufw may close ports that the cluster needs: 10250, 10256"
        );
        let control_plane = of(&[MachineRole::ControlPlane], true).unwrap();
        assert!(
            control_plane.contains("IP protocol 112 (VRRP)"),
            "{control_plane}"
        );
        let control_plane = of(&[MachineRole::ControlPlane], false).unwrap();
        assert!(!control_plane.contains("VRRP"), "{control_plane}");
        assert_eq!(
            found(
                &[MachineRole::Worker],
                &Facts::default(),
                &needs("10.244.0.0/16", true)
            ),
            None
        );
    }

    #[test]
    fn a_host_that_drops_what_it_is_to_forward_parts_the_pods_of_a_routed_network() {
        let drops = |family: &str| Facts {
            drops_forwarded: [family.to_owned()].into(),
            ..Facts::default()
        };
        let (of_pods, worker) = (needs("10.244.0.0/16", true), &[MachineRole::Worker]);
        assert_eq!(
            found(worker, &drops("ip"), &of_pods).unwrap(),
            "its chain FORWARD drops what no rule accepts: pods of different nodes (10.244.0.0/16) may not hear each other"
        );
        assert_eq!(found(worker, &drops("ip6"), &of_pods), None, "another family");
        assert!(found(worker, &drops("ip6"), &needs("fd01::/48", false)).is_some());
        assert_eq!(
            found(&[MachineRole::Etcd], &drops("ip"), &of_pods),
            None,
            "it has no pods"
        );
        assert_eq!(
            found(worker, &drops("ip"), &HostNeeds::default()),
            None,
            "another network"
        );
        let both = Facts {
            firewalls: ["ufw".to_owned()].into(),
            ..drops("ip")
        };
        let both = found(worker, &both, &of_pods).unwrap();
        assert!(
            both.starts_with("ufw may close ports") && both.contains("; its chain FORWARD"),
            "{both}"
        );
    }
}
