//! Members of etcd whose machine is gone and whose data is not: it lies on a volume that is kept for the machine, and the next one
//! takes the member up as it is. Such a member is left alone while its machine and the bundle on it are made; what it is then, the
//! next look shows, and the plan after that decides.

use keelson_provider_api::kinds::EtcdMember;
use keelson_provider_api::values::Version;
use keelson_provider_api::{
    Change, Disruption, Health, Kind, Observation, Observed, Owner, Resource, ResourceKey,
};

use super::desired::DesiredState;
use super::etcd;
use super::verdict::{Verdict, Verdicts};

/// The machine that the member `key` comes back with: one that is made anew on a volume which is there. A member that its fellows do
/// not know of has no place in its cluster; but where no fellow is seen, it may be on any volume.
pub(super) fn machine_with_data(
    key: &ResourceKey,
    desired: &DesiredState,
    observation: &Observation,
    verdicts: &Verdicts,
) -> Option<ResourceKey> {
    if key.kind() != Kind::EtcdMember {
        return None;
    }
    let (cluster, machine) = EtcdMember::parse_name(key.name())?;
    let machine = ResourceKey::new(Kind::Machine, machine);
    let is_made = matches!(verdicts.get(&machine), Some(Verdict::Create { .. }));
    let Resource::Machine(wanted) = &desired.resources.get(&machine)?.resource else {
        return None;
    };
    let volume = ResourceKey::new(Kind::Volume, wanted.volume.as_deref()?);
    let is_ours = observation
        .present(&volume)
        .is_some_and(|volume| volume.owner == Owner::ThisCluster);
    let stays = matches!(
        verdicts.get(&volume),
        Some(Verdict::Keep | Verdict::Update { .. })
    );
    let is_gone = matches!(observation.get(&machine), Observed::Absent);
    let may_be_there = || match observation.get(key) {
        Observed::Present(_) | Observed::Unknown(_) => true,
        Observed::Absent => {
            let health = etcd::clusters(observation);
            let is_seen = health.get(cluster).is_some_and(|health| health.formed);
            desired.etcd_with_data.contains(cluster) && desired.restore.is_none() && !is_seen
        }
    };
    let comes = is_made && is_gone && is_ours && stays && may_be_there();
    (comes && !changes_version(machine.name(), desired, observation)).then_some(machine)
}

/// True where the bundle of `machine` brings other versions than its fellows have: they have to come first then, one after the other,
/// and do not wait for it.
fn changes_version(machine: &str, desired: &DesiredState, observation: &Observation) -> bool {
    let bundle = ResourceKey::new(Kind::NodeBundle, machine);
    let Some(Resource::NodeBundle(wanted)) = desired.resources.get(&bundle).map(|wanted| &wanted.resource)
    else {
        return false;
    };
    let is_other = |seen: Option<Version>, wanted: Option<Version>| {
        seen.zip(wanted).is_some_and(|(seen, wanted)| seen != wanted)
    };
    let serves_api = |key: &ResourceKey| {
        observation
            .present(&ResourceKey::new(Kind::ControlPlane, key.name()))
            .is_some()
    };
    let mut fellows = observation.owned_of(Kind::NodeBundle);
    fellows.any(|(key, existing)| match &existing.resource {
        Resource::NodeBundle(seen) => {
            is_other(seen.etcd_version, wanted.etcd_version)
                || (serves_api(key) && is_other(seen.kubernetes_version, wanted.kubernetes_version))
        }
        _ => false,
    })
}

/// The members that come back, and their etcd clusters.
pub(super) fn coming(verdicts: &Verdicts) -> impl Iterator<Item = (&ResourceKey, &str)> {
    let members = verdicts
        .iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::ComesBack { .. }));
    members.filter_map(|(key, _)| Some((key, key.etcd_cluster()?)))
}

/// The member that has to be back before `change` may be made: etcd lets nobody join while a voter is away, and of its fellows none
/// that runs is taken down meanwhile.
pub(super) fn waited_for(
    change: &Change,
    verdicts: &Verdicts,
    observation: &Observation,
) -> Option<ResourceKey> {
    let runs = |cluster: &str, machine: &str| {
        let member = ResourceKey::new(Kind::EtcdMember, EtcdMember::name(cluster, machine));
        observation
            .present(&member)
            .is_some_and(|member| !matches!(member.health, Health::Unhealthy(_) | Health::Lost(_)))
    };
    let concerns = |cluster: &str| {
        if change.key.kind() == Kind::EtcdMember {
            change.key.etcd_cluster() == Some(cluster) && !etcd::starts(change)
        } else {
            change.disruption != Disruption::None
                && change.machine().is_some_and(|machine| runs(cluster, machine))
        }
    };
    coming(verdicts)
        .find(|(member, cluster)| member.host() != change.machine() && concerns(cluster))
        .map(|(member, _)| member.clone())
}
