//! Add-ons: what every cluster has, the network plugin, and what the user adds.

use keelson_provider_api::kinds::{Addon as AddonResource, MachineRole};
use keelson_provider_api::values::{Digest, Taint, TaintEffect};
use keelson_provider_api::{Kind, ResourceKey};
use serde_json::json;

use super::blueprint::{Blueprint, MachineBlueprint};
use crate::addons::{self, AddonSettings, CLUSTER_ACCESS, COREDNS, KUBE_PROXY};
use crate::node::RenderError;
use crate::plan::DesiredState;
use crate::spec::versions::nearest_release;
use crate::spec::{Addon, KubeProxyMode, Location, Plugin, ValidSpec};

/// Where an add-on's objects come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddonSource {
    /// keelson brings it with it.
    BuiltIn,
    /// A manifest that someone else wrote.
    Manifest {
        /// Where it is.
        location: Location,
        /// Its digest, where the spec names one or it was read.
        sha256: Option<Digest>,
    },
}

/// An add-on that a spec comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddonBlueprint {
    /// Its name.
    pub name: String,
    /// Where its objects come from.
    pub source: AddonSource,
}

/// The add-ons of a spec, in the order in which they stand on each other: bindings, Services, the network plugin,
/// names, and what the user adds.
pub fn addons(spec: &ValidSpec) -> Vec<AddonBlueprint> {
    let spec = spec.spec();
    if spec.is_etcd_alone() {
        return Vec::new();
    }
    let built_in = |name: &str| AddonBlueprint {
        name: name.to_owned(),
        source: AddonSource::BuiltIn,
    };
    let manifest = |name: &str, location: &Location, sha256: Option<Digest>| AddonBlueprint {
        name: name.to_owned(),
        source: AddonSource::Manifest {
            location: location.clone(),
            sha256,
        },
    };
    let mut addons = vec![built_in(CLUSTER_ACCESS), built_in(KUBE_PROXY)];
    if let Plugin::Custom(plugin) = &spec.network.plugin {
        addons.push(manifest(plugin.name.as_str(), &plugin.manifest, plugin.sha256));
    }
    addons.push(built_in(COREDNS));
    addons.extend(spec.addons.iter().map(|addon| match addon {
        Addon::BuiltIn(name) => built_in(name),
        Addon::Custom(custom) => manifest(custom.name.as_str(), &custom.manifest, custom.sha256),
    }));
    addons
}

/// What the built-in add-ons of a spec are rendered from.
pub fn addon_settings(blueprint: &Blueprint<'_>) -> AddonSettings {
    let spec = blueprint.spec;
    AddonSettings {
        kubernetes_version: spec.kubernetes_version,
        coredns_tag: nearest_release(spec.kubernetes_version).coredns.to_owned(),
        registry: spec.assets.registry.clone(),
        endpoint: blueprint.endpoint().to_string(),
        pod_cidr: spec.network.pod_cidr,
        dns_domain: spec.network.dns_domain.clone(),
        dns_address: spec.network.service_cidr.address_at(10),
        keeps_dns_apart: dns_nodes(blueprint) > 1,
        nodes_join_themselves: !blueprint.groups.is_empty(),
        routes_pods: matches!(spec.network.plugin, Plugin::Routed),
        proxy_mode: match spec.kube_proxy.mode {
            KubeProxyMode::Nftables => "nftables",
            KubeProxyMode::Iptables => "iptables",
        }
        .to_owned(),
        proxy_config: spec.kube_proxy.config.clone(),
    }
}

/// How many nodes take the pods of CoreDNS, which tolerate the taint of control planes and no other.
fn dns_nodes(blueprint: &Blueprint<'_>) -> usize {
    let keeps_away = |taint: &Taint| taint.effect != TaintEffect::PreferNoSchedule;
    let takes_them = |machine: &MachineBlueprint<'_>| {
        machine.is(MachineRole::ControlPlane)
            || machine.is(MachineRole::Worker) && !machine.taints.iter().any(keeps_away)
    };
    let machines = blueprint.machines.iter();
    let groups = blueprint.groups.iter();
    let in_groups = groups
        .filter(|group| takes_them(&group.machine))
        .map(|group| group.spec.min.unwrap_or(group.spec.replicas));
    let in_groups = usize::try_from(in_groups.sum::<u32>()).unwrap_or(usize::MAX);
    in_groups.saturating_add(machines.filter(|machine| takes_them(machine)).count())
}

impl AddonBlueprint {
    /// The add-on as plans have it. Its digest tells every change of its objects: it is that of the manifest that they are
    /// read from.
    ///
    /// # Errors
    /// When a value of the spec cannot stand where a template puts it.
    pub fn resource(&self, settings: &AddonSettings) -> Result<AddonResource, RenderError> {
        let (source, sha256) = match &self.source {
            AddonSource::BuiltIn => (
                AddonResource::BUILT_IN.to_owned(),
                addons::digest(&self.name, settings)?,
            ),
            AddonSource::Manifest { location, sha256 } => (location.to_string(), *sha256),
        };
        let digest = Digest::of_json(&json!([self.name, source, sha256]));
        Ok(AddonResource { source, digest })
    }
}

/// The key of the add-on that lets kubelets bring themselves in.
pub(super) fn access_key() -> ResourceKey {
    ResourceKey::new(Kind::Addon, CLUSTER_ACCESS)
}

/// The keys of the add-ons without which no node has a network: the rights of what makes it, and that of the spec's own.
pub(super) fn network_keys(blueprint: &Blueprint<'_>) -> Vec<ResourceKey> {
    let mut keys = vec![access_key()];
    if let Plugin::Custom(plugin) = &blueprint.spec.network.plugin {
        keys.push(ResourceKey::new(Kind::Addon, plugin.name.as_str()));
    }
    keys
}

pub(super) fn build(
    spec: &ValidSpec,
    blueprint: &Blueprint<'_>,
    desired: &mut DesiredState,
) -> Result<(), RenderError> {
    let settings = addon_settings(blueprint);
    let api = blueprint.control_plane_keys(Kind::ControlPlane);
    let key = |name: &str| ResourceKey::new(Kind::Addon, name);
    // What the others wait for: bindings first, then Services and the pod network, then names.
    let mut ground: Vec<ResourceKey> = Vec::new();
    for addon in addons(spec) {
        let after = match addon.name.as_str() {
            CLUSTER_ACCESS => Vec::new(),
            KUBE_PROXY => vec![access_key()],
            _ if is_plugin(blueprint, &addon) => vec![access_key()],
            _ => ground.clone(),
        };
        let is_ground = matches!(addon.name.as_str(), CLUSTER_ACCESS | KUBE_PROXY | COREDNS)
            || is_plugin(blueprint, &addon);
        let key = key(&addon.name);
        desired.add_after(key.clone(), addon.resource(&settings)?, after, api.clone());
        if is_ground {
            ground.push(key);
        }
    }
    Ok(())
}

fn is_plugin(blueprint: &Blueprint<'_>, addon: &AddonBlueprint) -> bool {
    matches!(&blueprint.spec.network.plugin, Plugin::Custom(plugin) if plugin.name.as_str() == addon.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{BUILT_IN_ADDONS, EVERY_CLUSTERS_ADDONS, load};

    fn spec(rest: &str) -> ValidSpec {
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: a }}\nspec:\n  provider: {{ simulated: \
             {{}} }}\n{rest}"
        );
        load(text.as_bytes(), "test").unwrap()
    }

    #[test]
    fn names_that_users_may_not_take_are_those_that_are_taken() {
        let named =
            |spec: &ValidSpec| -> Vec<String> { addons(spec).into_iter().map(|addon| addon.name).collect() };
        assert_eq!(named(&spec("")), EVERY_CLUSTERS_ADDONS);
        let reserved = EVERY_CLUSTERS_ADDONS.iter().chain(BUILT_IN_ADDONS);
        assert!(reserved.clone().all(|name| addons::is_built_in(name)));
        assert_eq!(reserved.count(), addons::BUILT_IN.len());
        let custom = spec(
            "  network: { plugin: { name: flannel, manifest: ./f.yaml } }\n  addons: [metrics-server, { name: mine, \
             manifest: ./m.yaml }]\n",
        );
        assert_eq!(
            named(&custom),
            [
                "cluster-access",
                "kube-proxy",
                "flannel",
                "coredns",
                "metrics-server",
                "mine"
            ]
        );
    }

    #[test]
    fn a_manifest_that_changes_changes_its_addon() {
        let spec = spec("  addons: [{ name: mine, manifest: ./m.yaml }]\n");
        let with = |text: &str| {
            let pinned: Result<_, ()> = spec.clone().with_manifest_digests(|path| {
                assert_eq!(path, "./m.yaml");
                Ok(Digest::of_bytes(text.as_bytes()))
            });
            let pinned = pinned.unwrap();
            let settings = addon_settings(&Blueprint::of(&pinned));
            addons(&pinned).last().unwrap().resource(&settings).unwrap()
        };
        assert_eq!(with("a"), with("a"));
        assert_ne!(with("a"), with("b"));
    }
}
