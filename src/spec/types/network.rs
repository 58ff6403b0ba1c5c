//! Address ranges and the network plugin.

use keelson_provider_api::values::{Cidr, Digest, Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::word_or_map::word_or_map;
use crate::spec::text::Location;
use crate::spec::text::formats::HostName;

/// Address ranges and the network plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Network {
    /// The range that pods get their addresses from: a /24 for each node.
    #[serde(rename = "podCIDR")]
    pub pod_cidr: Cidr,
    /// The range that Services get their addresses from: at least 10 addresses, at most 20 host bits (a /12).
    #[serde(rename = "serviceCIDR")]
    pub service_cidr: Cidr,
    /// The range of the machines' own network, which keelson makes in clouds. Bare hosts have theirs already.
    #[serde(rename = "machineCIDR")]
    pub machine_cidr: Cidr,
    /// The domain under which Services get their names.
    #[schemars(with = "HostName")]
    pub dns_domain: String,
    /// What connects pods: `routed` (a bridge on each node and routes between nodes; no image, no third party), or a
    /// manifest of another plugin.
    pub plugin: Plugin,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            pod_cidr: Cidr::ipv4([10, 244, 0, 0], 16),
            service_cidr: Cidr::ipv4([10, 96, 0, 0], 12),
            machine_cidr: Cidr::ipv4([10, 0, 0, 0], 16),
            dns_domain: "cluster.local".to_owned(),
            plugin: Plugin::Routed,
        }
    }
}

/// What connects pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plugin {
    /// A bridge on each node and routes between nodes.
    Routed,
    /// Another plugin, by its manifest.
    Custom(CustomPlugin),
}

/// A network plugin that is installed from a manifest: Calico, Cilium, Flannel and others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomPlugin {
    /// The plugin's name, for messages.
    #[schemars(example = &"calico")]
    pub name: Name,
    /// The manifest, by URL or path.
    pub manifest: Location,
    /// The SHA-256 digest of the manifest; required for a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

word_or_map!(Plugin, CustomPlugin, "`routed`, or a map with name, manifest and sha256", {
    "enum": ["routed"],
}, {
    read: |word| (word == "routed").then_some(Plugin::Routed),
    custom: Plugin::Custom,
    write: |plugin| match plugin {
        Plugin::Routed => Err("routed"),
        Plugin::Custom(custom) => Ok(custom),
    },
});
