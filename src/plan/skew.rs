//! Kubernetes and etcd versions move forward, and Kubernetes one minor release at a time.
//!
//! Source: the version skew policy of Kubernetes (<https://kubernetes.io/releases/version-skew-policy/>: no minor release is
//! skipped, also with one API server); etcd goes up one minor release at a time as well, and down only by a procedure of its
//! own (<https://etcd.io/docs/latest/upgrades/>).

use keelson_provider_api::kinds::{Difference, MemberPhase, NodeBundle};
use keelson_provider_api::values::Version;
use keelson_provider_api::{Existing, Kind, Observation, Resource, ResourceKey};

use super::desired::DesiredState;
use super::verdict::{Verdict, Verdicts};

/// True when one of a node bundle's differences is in a version.
pub(super) fn changes_version(differences: &[Difference]) -> bool {
    differences
        .iter()
        .any(|difference| difference.field.ends_with("Version"))
}

/// Blocks updates of node bundles and node groups that would break the skew policy.
pub(super) fn review(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    for (key, verdict) in verdicts
        .iter_mut()
        .filter(|(key, _)| key.kind() == Kind::NodeBundle)
    {
        if !matches!(verdict, Verdict::Update { .. } | Verdict::Replace { .. }) {
            continue;
        }
        let (Some(actual), Some(wanted)) = (
            observation
                .present(key)
                .and_then(|existing| bundle(&existing.resource)),
            desired
                .resources
                .get(key)
                .and_then(|wanted| bundle(&wanted.resource)),
        ) else {
            continue;
        };
        if let Some(problem) = problem(actual, wanted, desired.serves_api(key.name())) {
            *verdict = problem;
        }
    }
    keep_groups_from_going_back(verdicts, desired, observation);
    keep_distant_api_servers_away(verdicts, desired, observation);
    keep_older_members_away(verdicts, desired, observation);
}

/// Blocks updates of node groups to an older release.
fn keep_groups_from_going_back(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    for (key, verdict) in verdicts
        .iter_mut()
        .filter(|(key, _)| key.kind() == Kind::NodeGroup)
    {
        let wanted = desired.resources.get(key).map(|wanted| &wanted.resource);
        if let (Some(from), Some(to)) = (
            seen_version(observation, key),
            wanted.and_then(kubernetes_version),
        ) && to < from
        {
            *verdict = backwards("Kubernetes", from, to);
        }
    }
}

/// Blocks new API servers that are older than one that runs, or more than a minor release newer: a cluster moves on by the
/// machines that it has, also where others take their place.
fn keep_distant_api_servers_away(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    let bundle_of = |machine: &str| ResourceKey::new(Kind::NodeBundle, machine);
    let running: Vec<Version> = observation
        .owned_of(Kind::ControlPlane)
        .filter_map(|(key, _)| seen_version(observation, &bundle_of(key.name())))
        .collect();
    let (Some(&oldest), Some(&newest)) = (running.iter().min(), running.iter().max()) else {
        return;
    };
    for key in desired
        .resources
        .keys()
        .filter(|key| key.kind() == Kind::ControlPlane)
    {
        let bundle = bundle_of(key.name());
        let wanted = desired.resources.get(&bundle).map(|wanted| &wanted.resource);
        let (Some(verdict @ Verdict::Create { .. }), Some(wanted)) =
            (verdicts.get_mut(&bundle), wanted.and_then(kubernetes_version))
        else {
            continue;
        };
        if wanted < newest {
            *verdict = backwards("Kubernetes", newest, wanted);
        } else if (wanted.major, wanted.minor) > (oldest.major, oldest.minor + 1) {
            *verdict = skips("Kubernetes", "kubernetesVersion", oldest, wanted);
        }
    }
}

/// The version of Kubernetes in the node bundle or the node group `key` as it was seen.
pub(super) fn seen_version(observation: &Observation, key: &ResourceKey) -> Option<Version> {
    kubernetes_version(&observation.present(key)?.resource)
}

/// Blocks new machines whose etcd is of an older minor release than all members that run: etcd lets none of those join.
fn keep_older_members_away(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    let has_joined = |existing: &Existing| match &existing.resource {
        Resource::EtcdMember(member) if member.phase != MemberPhase::Waiting => Some(member.machine.clone()),
        _ => None,
    };
    let members = observation.owned_of(Kind::EtcdMember);
    let oldest = members
        .filter_map(|(_, existing)| has_joined(existing))
        .filter_map(|machine| observation.present(&ResourceKey::new(Kind::NodeBundle, machine)))
        .filter_map(|existing| bundle(&existing.resource)?.etcd_version)
        .min();
    let Some(oldest) = oldest else { return };
    for (key, verdict) in verdicts.iter_mut() {
        let wanted = desired
            .resources
            .get(key)
            .and_then(|wanted| bundle(&wanted.resource));
        if let (Verdict::Create { .. }, Some(wanted)) =
            (&*verdict, wanted.and_then(|bundle| bundle.etcd_version))
            && (wanted.major, wanted.minor) < (oldest.major, oldest.minor)
        {
            *verdict = backwards("etcd", oldest, wanted);
        }
    }
}

/// The version of Kubernetes that a node bundle or a node group brings; nothing for any other resource.
pub(super) fn kubernetes_version(resource: &Resource) -> Option<Version> {
    match resource {
        Resource::NodeBundle(bundle) => bundle.kubernetes_version,
        Resource::NodeGroup(group) => Some(group.kubernetes_version),
        _ => None,
    }
}

fn bundle(resource: &Resource) -> Option<&NodeBundle> {
    match resource {
        Resource::NodeBundle(bundle) => Some(bundle),
        _ => None,
    }
}

fn problem(actual: &NodeBundle, wanted: &NodeBundle, serves_api: bool) -> Option<Verdict> {
    if let (Some(from), Some(to)) = (actual.kubernetes_version, wanted.kubernetes_version) {
        if to < from {
            return Some(backwards("Kubernetes", from, to));
        }
        if serves_api && to.minor > from.minor + 1 {
            return Some(skips("Kubernetes", "kubernetesVersion", from, to));
        }
    }
    if let (Some(from), Some(to)) = (actual.etcd_version, wanted.etcd_version) {
        if to < from {
            return Some(backwards("etcd", from, to));
        }
        if to.minor > from.minor + 1 {
            return Some(skips("etcd", "etcd.version", from, to));
        }
    }
    None
}

fn skips(what: &str, field: &str, from: Version, to: Version) -> Verdict {
    let (major, next) = (from.major, from.minor + 1);
    Verdict::blocked(
        format!("{what} {from} -> {to} skips a minor release"),
        format!("set {field} to a release of {major}.{next} first"),
    )
}

fn backwards(what: &str, from: Version, to: Version) -> Verdict {
    Verdict::blocked(
        format!("{what} {from} -> {to} goes back"),
        format!(
            "put {from} or a later release into the spec; to go back, restore a snapshot of the older one"
        ),
    )
}
