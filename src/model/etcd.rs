//! Members of the etcd clusters: `main`, and `events` where events have their own. An external etcd is not ours.

use keelson_provider_api::kinds::{EtcdMember, MachineRole, MemberPhase, MemberStart};
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::Blueprint;
use crate::plan::DesiredState;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    for key in member_keys(blueprint) {
        let Some((cluster, machine)) = EtcdMember::parse_name(key.name()) else {
            continue;
        };
        let member = EtcdMember {
            cluster: cluster.to_owned(),
            machine: machine.to_owned(),
            phase: MemberPhase::Voter,
            start: MemberStart::Initial,
            initial_members: hosts(blueprint),
            running: true,
        };
        desired.add(key.clone(), member);
    }
}

fn hosts(blueprint: &Blueprint<'_>) -> Vec<String> {
    blueprint
        .with_role(MachineRole::Etcd)
        .map(|machine| machine.name.clone())
        .collect()
}

/// The keys of every member of every etcd cluster.
pub(super) fn member_keys(blueprint: &Blueprint<'_>) -> Vec<ResourceKey> {
    let hosts = hosts(blueprint);
    let instances = blueprint.spec.etcd.instances().iter();
    instances
        .flat_map(|instance| {
            hosts
                .iter()
                .map(move |machine| EtcdMember::name(instance.cluster, machine))
        })
        .map(|name| ResourceKey::new(Kind::EtcdMember, name))
        .collect()
}
