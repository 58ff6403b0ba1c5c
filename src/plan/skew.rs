//! Kubernetes and etcd versions move forward, and Kubernetes one minor release at a time.
//!
//! Source: Kubernetes version skew policy, as restated in `reference/kubeadm.md` §9 ("No skipped minors even with
//! one apiserver"); etcd supports downgrades only by a procedure of its own.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::{Difference, NodeBundle};
use keelson_provider_api::values::Version;
use keelson_provider_api::{Kind, Observation, Resource, ResourceKey};

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
    let control_planes: BTreeSet<&str> = desired
        .resources
        .keys()
        .filter(|key| key.kind() == Kind::ControlPlane)
        .map(ResourceKey::name)
        .collect();
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
        }
    }
    hold_kubelets_back(verdicts, &control_planes, desired, observation);
}

/// Add-ons that come with Kubernetes, by their source.
const BUILT_IN: &str = "built-in";

/// No kubelet may be newer than an API server: where a control plane may not move on, no other node does.
fn hold_kubelets_back(
    verdicts: &mut Verdicts,
    control_planes: &BTreeSet<&str>,
    desired: &DesiredState,
    observation: &Observation,
) {
    let version = |resource: &Resource| bundle(resource)?.kubernetes_version;
    let stuck = verdicts
        .iter()
        .filter(|(key, verdict)| {
            key.kind() == Kind::NodeBundle
                && control_planes.contains(key.name())
                && matches!(verdict, Verdict::Blocked { .. })
        })
        .filter_map(|(key, _)| Some((version(&observation.present(key)?.resource)?, key.clone())))
        .min();
    let Some((oldest, control_plane)) = stuck else {
        return;
    };
    for (key, verdict) in verdicts.iter_mut() {
        let wanted = desired.resources.get(key).map(|wanted| &wanted.resource);
        let built_in = matches!(wanted, Some(Resource::Addon(addon)) if addon.source == BUILT_IN);
        if built_in && matches!(verdict, Verdict::Update { .. }) {
            *verdict = Verdict::blocked(
                format!(
                    "it goes with the API server of {}, which is {oldest}",
                    control_plane.name()
                ),
                "it goes on when the control planes can",
            );
        }
    }
    for (key, verdict) in verdicts
        .iter_mut()
        .filter(|(key, _)| key.kind() == Kind::NodeBundle)
    {
        let moves = matches!(
            verdict,
            Verdict::Create { .. } | Verdict::Update { .. } | Verdict::Replace { .. }
        );
        let wanted = desired
            .resources
            .get(key)
            .and_then(|wanted| version(&wanted.resource));
        if moves && !control_planes.contains(key.name()) && wanted.is_some_and(|wanted| wanted > oldest) {
            *verdict = Verdict::blocked(
                format!(
                    "its kubelet would be newer than the API server of {}, which is {oldest}",
                    control_plane.name()
                ),
                "it goes on when the control planes can",
            );
        }
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
            return Some(Verdict::blocked(
                format!("Kubernetes {from} -> {to} skips a minor release"),
                format!(
                    "set kubernetesVersion to a release of {}.{} first",
                    from.major,
                    from.minor + 1
                ),
            ));
        }
    }
    if let (Some(from), Some(to)) = (actual.etcd_version, wanted.etcd_version)
        && to < from
    {
        return Some(backwards("etcd", from, to));
    }
    None
}

fn backwards(what: &str, from: Version, to: Version) -> Verdict {
    Verdict::blocked(
        format!("{what} {from} -> {to} goes back"),
        format!(
            "put {from} or a later release into the spec; to go back, restore a snapshot of the older one"
        ),
    )
}
