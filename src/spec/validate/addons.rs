//! Addons and mirrors.

use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::text::Location;
use crate::spec::types::{Addon, BUILT_IN_ADDONS, ClusterSpec, EVERY_CLUSTERS_ADDONS, Plugin};

pub(super) fn names(spec: &ClusterSpec, found: &mut Found) {
    let names: Vec<&str> = spec.addons.iter().map(Addon::name).collect();
    let path = |index: usize| match spec.addons.get(index) {
        Some(Addon::Custom(_)) => path_of!("spec", "addons", index, "name"),
        _ => path_of!("spec", "addons", index),
    };
    for_each_repetition(&names, |later, first| {
        let problem = format!(
            "addons[{first}] has the name `{}` too",
            names.get(later).unwrap_or(&"")
        );
        found.error(Finding::new(path(later), problem).help("give each addon a name of its own"));
    });
    for (index, addon) in spec.addons.iter().enumerate() {
        if let Addon::Custom(custom) = addon {
            check_free(path(index), custom.name.as_str(), found);
        }
    }
    // The network plugin is applied as an addon too.
    if let Plugin::Custom(plugin) = &spec.network.plugin {
        let path = path_of!("spec", "network", "plugin", "name");
        check_free(path.clone(), plugin.name.as_str(), found);
        if let Some(index) = names.iter().position(|name| *name == plugin.name.as_str()) {
            let problem = format!("addons[{index}] has the name `{}` too", plugin.name);
            found.error(Finding::new(path, problem).help("give the addon another name"));
        }
    }
}

fn check_free(path: Path, name: &str, found: &mut Found) {
    if BUILT_IN_ADDONS.contains(&name) || EVERY_CLUSTERS_ADDONS.contains(&name) {
        let problem = format!("`{name}` is the name of an addon that keelson brings with it");
        found.error(Finding::new(path, problem).help("choose another name"));
    }
}

pub(super) fn manifests_are_pinned(spec: &ClusterSpec, found: &mut Found) {
    for (index, addon) in spec.addons.iter().enumerate() {
        if let Addon::Custom(custom) = addon {
            let path = path_of!("spec", "addons", index);
            check_pinned(&path, &custom.manifest, custom.sha256.is_some(), found);
        }
    }
}

/// What a URL serves may change; a digest says what was meant.
pub(super) fn check_pinned(path: &Path, manifest: &Location, has_digest: bool, found: &mut Found) {
    if let (Location::Url(url), false) = (manifest, has_digest) {
        found.error(
            Finding::new(
                path.then("sha256"),
                "a manifest from a URL needs its digest: what is served may change",
            )
            .expected("sha256: and 64 hexadecimal digits")
            .help(format!("`curl -fsSL {url} | sha256sum` prints the digits")),
        );
    }
}

pub(super) fn mirrors(spec: &ClusterSpec, found: &mut Found) {
    if spec.assets.proxy.is_none() && !spec.assets.no_proxy.is_empty() {
        found.error(
            Finding::new(
                path_of!("spec", "assets", "noProxy"),
                "there is no proxy to go around",
            )
            .help("name it in `spec.assets.proxy`, or remove this field"),
        );
    }
    if spec.assets.insecure_registry && spec.assets.registry.is_none() {
        found.error(
            Finding::new(
                path_of!("spec", "assets", "insecureRegistry"),
                "there is no registry to reach without TLS",
            )
            .help("name it in `spec.assets.registry`, or remove this field"),
        );
    }
}
