//! Control planes and nodes.

use keelson_provider_api::kinds::{ControlPlane, EtcdMember, MachineRole, Node};
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{Blueprint, MachineBlueprint};
use super::{addons, endpoint, etcd};
use crate::plan::DesiredState;
use crate::spec::EtcdPlacement;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    let endpoint = blueprint.endpoint().to_string();
    let members = etcd::member_keys(blueprint);
    let stacked = matches!(blueprint.spec.etcd.placement, EtcdPlacement::Stacked);
    for machine in blueprint.with_role(MachineRole::ControlPlane) {
        let own =
            |key: &&ResourceKey| EtcdMember::parse_name(key.name()).is_some_and(|(_, on)| on == machine.name);
        // A stacked control plane speaks to the members beside it, others to whichever answers.
        let (after, after_any) = if stacked {
            (members.iter().filter(own).cloned().collect(), Vec::new())
        } else {
            (Vec::new(), members.clone())
        };
        let control_plane = ControlPlane {
            machine: machine.name.clone(),
            endpoint: endpoint.clone(),
        };
        let key = ResourceKey::new(Kind::ControlPlane, &*machine.name);
        desired.add_after(key, control_plane, after, after_any);
    }
    let reachable = endpoint::reachable(blueprint);
    for machine in blueprint.machines.iter().filter(|machine| machine.runs_kubelet()) {
        let (after, after_any) = if machine.is(MachineRole::ControlPlane) {
            // Control planes use their own API server, as kubeadm's do (`ControlPlaneKubeletLocalMode`,
            // https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/).
            (
                vec![ResourceKey::new(Kind::ControlPlane, &*machine.name)],
                Vec::new(),
            )
        } else {
            // A kubelet is let in by bindings that come with the add-on.
            let (mut all, any) = reachable.clone();
            all.push(addons::access_key());
            (all, any)
        };
        let key = ResourceKey::new(Kind::Node, &*machine.name);
        desired.add_after(key.clone(), node(machine), after, after_any);
        // It is Ready once it has a network.
        desired.ends_with(&key, addons::network_keys(blueprint));
    }
}

fn node(machine: &MachineBlueprint<'_>) -> Node {
    Node {
        machine: machine.name.clone(),
        group: machine.group.clone(),
        labels: machine.labels.clone(),
        taints: machine.taints.clone(),
    }
}
