//! Kubernetes and etcd versions move forward, and Kubernetes one minor release at a time.
//!
//! Source: Kubernetes version skew policy, as restated in `reference/kubeadm.md` §9 ("No skipped minors even with
//! one apiserver"); etcd goes up one minor release at a time as well, and down only by a procedure of its own
//! (<https://etcd.io/docs/latest/upgrades/>).

use std::collections::BTreeSet;

use keelson_provider_api::kinds::{Addon, Difference, MemberPhase, NodeBundle};
use keelson_provider_api::values::Version;
use keelson_provider_api::{Existing, Kind, Observation, Observed, Owner, Resource, ResourceKey};

use super::desired::DesiredState;
use super::verdict::{Verdict, Verdicts};

/// True when one of a node bundle's differences is in a version.
pub(super) fn changes_version(differences: &[Difference]) -> bool {
    differences
        .iter()
        .any(|difference| difference.field.ends_with("Version"))
}

/// Blocks updates of node bundles that would break the skew policy.
pub(super) fn review(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    let control_planes = names_of_control_planes(desired);
    let leaving = oldest_that_leaves(&control_planes, observation);
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
        let serves_api = control_planes.contains(key.name());
        if let Some(problem) = problem(actual, wanted, serves_api) {
            *verdict = problem;
        } else if serves_api
            && let (Some((machine, version)), Some(wanted)) = (leaving, wanted.kubernetes_version)
            && actual.kubernetes_version != Some(wanted)
            && (wanted.major, wanted.minor) > (version.major, version.minor + 1)
        {
            *verdict = Verdict::blocked(
                format!(
                    "its API server would be more than one minor release newer than the API server of {machine}, \
                     which is {version}"
                ),
                format!("it goes on when {machine} has left"),
            );
        }
    }
    keep_older_members_away(verdicts, desired, observation);
}

/// The oldest of the control planes that are not wanted any more. They leave last, and serve until then.
fn oldest_that_leaves<'a>(
    wanted: &BTreeSet<&str>,
    observation: &'a Observation,
) -> Option<(&'a str, Version)> {
    observation
        .owned_of(Kind::ControlPlane)
        .filter(|(key, _)| !wanted.contains(key.name()))
        .filter_map(|(key, _)| {
            let bundle = ResourceKey::new(Kind::NodeBundle, key.name());
            Some((key.name(), seen_version(observation, &bundle)?))
        })
        .min_by_key(|(_, version)| *version)
}

/// The version of Kubernetes in the node bundle `bundle` as it was seen.
pub(super) fn seen_version(observation: &Observation, bundle: &ResourceKey) -> Option<Version> {
    kubernetes_version(&observation.present(bundle)?.resource)
}

fn names_of_control_planes(desired: &DesiredState) -> BTreeSet<&str> {
    desired
        .resources
        .keys()
        .filter(|key| key.kind() == Kind::ControlPlane)
        .map(ResourceKey::name)
        .collect()
}

fn control_planes_that_may_serve(observation: &Observation) -> impl Iterator<Item = &str> {
    let serves = |observed: &Observed<Existing>| match observed {
        Observed::Present(existing) => existing.owner == Owner::ThisCluster,
        Observed::Unknown(_) => true,
        Observed::Absent => false,
    };
    observation
        .entries()
        .filter(move |(key, observed)| key.kind() == Kind::ControlPlane && serves(observed))
        .map(|(key, _)| key.name())
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

/// A control plane that may not move on, and with it everything that must not be newer than its API server.
struct Anchor<'a> {
    machine: &'a str,
    /// The version that its API server has at least; `None` where that could be any.
    at_least: Option<Version>,
    is_seen: bool,
}

impl<'a> Anchor<'a> {
    /// The oldest of the control planes that are blocked. One that cannot be seen is as old as it can be: no kubelet is ever
    /// newer than an API server, so it is as new as the newest kubelet that is no control plane's.
    fn oldest(
        verdicts: &'a Verdicts,
        control_planes: &BTreeSet<&str>,
        observation: &Observation,
    ) -> Option<Self> {
        let newest_kubelet = observation
            .owned_of(Kind::NodeBundle)
            .filter(|(key, _)| !control_planes.contains(key.name()))
            .filter_map(|(_, existing)| kubernetes_version(&existing.resource))
            .max();
        let anchor = |key: &'a ResourceKey| match observation.get(key) {
            Observed::Present(existing) => Some(Self {
                machine: key.name(),
                at_least: Some(kubernetes_version(&existing.resource)?),
                is_seen: true,
            }),
            Observed::Unknown(_) => Some(Self {
                machine: key.name(),
                at_least: newest_kubelet,
                is_seen: false,
            }),
            Observed::Absent => None,
        };
        verdicts
            .iter()
            .filter(|(key, verdict)| {
                key.kind() == Kind::NodeBundle
                    && control_planes.contains(key.name())
                    && matches!(verdict, Verdict::Blocked { .. })
            })
            .filter_map(|(key, _)| anchor(key))
            .min_by_key(|anchor| anchor.at_least)
    }

    fn holds(&self, wanted: Version) -> bool {
        self.at_least.is_none_or(|at_least| wanted > at_least)
    }

    fn is_left_behind(&self, wanted: Version) -> bool {
        let minor = |version: Version| (version.major, version.minor);
        let next = |version: Version| (version.major, version.minor + 1);
        self.at_least
            .is_some_and(|at_least| minor(wanted) > next(at_least))
    }

    fn block(&self, what: &str) -> Verdict {
        let (machine, version) = (self.machine, self.at_least);
        match version.filter(|_| self.is_seen) {
            Some(version) => Verdict::blocked(
                format!("{what} the API server of {machine}, which is {version}"),
                "it goes on when the control planes can",
            ),
            None => Verdict::blocked(
                format!("{what} the API server of {machine}, whose version cannot be seen"),
                format!(
                    "it goes on when {machine} answers; if the machine is gone for good: keelson node forget {machine}"
                ),
            ),
        }
    }
}

/// No kubelet may be newer than an API server, nor may what comes with Kubernetes, and no two API servers are more than one
/// minor release apart: where a control plane may not move on, whatever the reason, none of them does; nor where it cannot be
/// seen to have done so, as far as its version can be told.
pub(super) fn hold_back(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    let mut control_planes = names_of_control_planes(desired);
    control_planes.extend(control_planes_that_may_serve(observation));
    let seen = verdicts.clone();
    let Some(anchor) = Anchor::oldest(&seen, &control_planes, observation) else {
        return;
    };
    let wanted_version = |key: &ResourceKey| kubernetes_version(&desired.resources.get(key)?.resource);
    let newest_wanted = desired.resources.keys().filter_map(wanted_version).max();
    for (key, verdict) in verdicts.iter_mut() {
        let moves = matches!(
            verdict,
            Verdict::Create { .. } | Verdict::Update { .. } | Verdict::Replace { .. }
        );
        let wanted = desired.resources.get(key).map(|wanted| &wanted.resource);
        match wanted {
            Some(Resource::Addon(addon))
                if addon.source == Addon::BUILT_IN
                    && matches!(verdict, Verdict::Update { .. })
                    // Neither forth nor back.
                    && newest_wanted.is_some_and(|wanted| anchor.at_least != Some(wanted)) =>
            {
                *verdict = anchor.block("it goes with");
            }
            Some(resource @ Resource::NodeBundle(_))
                if moves
                    && control_planes.contains(key.name())
                    && kubernetes_version(resource).is_some_and(|wanted| {
                        seen_version(observation, key) != Some(wanted) && anchor.is_left_behind(wanted)
                    }) =>
            {
                *verdict = anchor.block("its API server would be more than one minor release newer than");
            }
            Some(resource @ Resource::NodeBundle(_))
                if moves
                    && !control_planes.contains(key.name())
                    && kubernetes_version(resource).is_some_and(|wanted| anchor.holds(wanted)) =>
            {
                *verdict = anchor.block("its kubelet would be newer than");
            }
            _ => {}
        }
    }
}

/// The version of Kubernetes that a node bundle brings; nothing for any other resource.
pub(super) fn kubernetes_version(resource: &Resource) -> Option<Version> {
    bundle(resource)?.kubernetes_version
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
