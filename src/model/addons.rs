//! Add-ons: what every cluster has, the network plugin, and what the user adds.

use keelson_provider_api::kinds::Addon as AddonResource;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Kind, ResourceKey};
use serde_json::{Value, json};

use super::blueprint::Blueprint;
use crate::plan::DesiredState;
use crate::spec::{Addon, Plugin};

const BUILT_IN: &str = "built-in";

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    let spec = blueprint.spec;
    if spec.is_etcd_alone() {
        return;
    }
    let api = blueprint.control_plane_keys(Kind::ControlPlane);
    let mut add = |name: &str, source: String, settings: &Value, after: Vec<ResourceKey>| {
        let key = ResourceKey::new(Kind::Addon, name);
        let digest = Digest::of_json(&json!([name, source, settings]));
        desired.add_after(key.clone(), AddonResource { source, digest }, after, api.clone());
        key
    };
    let version = spec.kubernetes_version;
    let proxy = json!({ "settings": spec.kube_proxy, "version": version });
    let mut ground = vec![add("kube-proxy", BUILT_IN.to_owned(), &proxy, Vec::new())];
    if let Plugin::Custom(plugin) = &spec.network.plugin {
        let source = plugin.manifest.to_string();
        ground.push(add(
            plugin.name.as_str(),
            source,
            &json!({ "sha256": plugin.sha256 }),
            Vec::new(),
        ));
    }
    let dns = json!({ "domain": spec.network.dns_domain, "services": spec.network.service_cidr, "version": version });
    ground.push(add("coredns", BUILT_IN.to_owned(), &dns, ground.clone()));
    for addon in &spec.addons {
        match addon {
            Addon::BuiltIn(name) => add(name, BUILT_IN.to_owned(), &Value::Null, ground.clone()),
            Addon::Custom(custom) => add(
                custom.name.as_str(),
                custom.manifest.to_string(),
                &json!({ "sha256": custom.sha256 }),
                ground.clone(),
            ),
        };
    }
}
