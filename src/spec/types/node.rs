//! What runs on every node.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::text::formats::Identifier;

/// Fields of someone else's configuration format, passed on as they are.
pub type FreeForm = serde_json::Map<String, serde_json::Value>;

/// The agent on every node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Kubelet {
    /// Kubernetes feature gates by name, for every component.
    #[schemars(example = serde_json::json!({ "InPlacePodVerticalScaling": true }))]
    pub feature_gates: BTreeMap<String, bool>,
    /// How many pods a node takes. A node's /24 has addresses for 253.
    #[schemars(range(min = 1, max = 253))]
    pub max_pods: u32,
    /// Any field of a KubeletConfiguration, merged last, but those that other fields of this spec are for.
    #[schemars(example = serde_json::json!({ "imageGCHighThresholdPercent": 80 }))]
    pub config: FreeForm,
}

impl Default for Kubelet {
    fn default() -> Self {
        Self {
            feature_gates: BTreeMap::new(),
            max_pods: 110,
            config: FreeForm::new(),
        }
    }
}

/// The implementation of Services on every node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubeProxy {
    /// How Services are implemented.
    pub mode: KubeProxyMode,
    /// Any field of a KubeProxyConfiguration, merged last, but those that other fields of this spec are for.
    #[schemars(example = serde_json::json!({ "nodePortAddresses": ["primary"] }))]
    pub config: FreeForm,
}

/// How Services are implemented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KubeProxyMode {
    /// nftables: scales to many Services; needs Linux 5.13 or newer.
    #[default]
    Nftables,
    /// iptables: for plugins and tools that expect it.
    Iptables,
}

/// The container runtime.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Containerd {
    /// Where containerd comes from.
    pub source: ContainerdSource,
    /// Fields of containerd's config.toml, written as YAML, merged last.
    #[schemars(example = serde_json::json!({ "debug": { "level": "info" } }))]
    pub config: FreeForm,
}

/// Where containerd comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContainerdSource {
    /// The project's own release, with a fixed version.
    #[default]
    Upstream,
    /// What is installed on the machine.
    Host,
}

/// Checks of a machine before it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Preflight {
    /// Names of findings that do not stop keelson, as its messages print them.
    #[schemars(with = "Vec<Identifier>", example = serde_json::json!(["cgroup-v2"]))]
    pub ignore: Vec<String>,
}
