//! Machines, the control plane and groups of workers.

use keelson_provider_api::values::{Labels, Name, Quantity, Taint, TaintEffect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::text::formats::{Identifier, KmsKey};

/// What a cloud machine is made of. Bare hosts are as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Machine {
    /// The provider's name of the machine type. Without it, a small general-purpose one.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Identifier>")]
    pub machine_type: Option<String>,
    /// The provider's name or number of the operating system image. Without it, the current Ubuntu LTS. On AWS: ubuntu-24.04,
    /// debian-12, or the id of an image, ami-….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Identifier>", example = &"ubuntu-24.04")]
    pub image: Option<String>,
    /// The size of the root volume, at least 10Gi. Without it, what comes with the machine type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_volume: Option<Quantity>,
    /// On AWS, the KMS key that the root volume is encrypted with: its id or ARN. Without it, the account's own key for EBS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<KmsKey>")]
    pub kms_key: Option<String>,
}

/// The machines that run the Kubernetes API, and etcd unless it is placed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlane {
    /// How many: 1 for a trial, 3 to survive the loss of one, 5 to survive the loss of two. With bare hosts, the
    /// number of hosts whose roles name control-plane.
    pub replicas: u32,
    /// What each machine is made of.
    pub machine: Machine,
    /// Labels of their nodes, beside those that keelson sets.
    pub labels: Labels,
    /// Taints of their nodes. Without this field, the control plane's NoSchedule taint keeps workloads away (but not
    /// from hosts that are workers too); an empty list lets workloads in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<Taint>>,
}

impl ControlPlane {
    /// The taint that keeps workloads off control planes, as kubeadm sets it.
    pub fn default_taint() -> Taint {
        Taint {
            key: "node-role.kubernetes.io/control-plane".to_owned(),
            value: String::new(),
            effect: TaintEffect::NoSchedule,
        }
    }
}

impl Default for ControlPlane {
    fn default() -> Self {
        Self {
            replicas: 1,
            machine: Machine::default(),
            labels: Labels::new(),
            taints: None,
        }
    }
}

/// A group of equal worker machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGroup {
    /// The group's name, part of its machines' names. Not control-plane, etcd or bastion.
    pub name: Name,
    /// How many machines. With bare hosts, the number of hosts of the group.
    #[serde(default = "default_replicas")]
    #[schemars(range(max = 5000))]
    pub replicas: u32,
    /// The fewest machines that scaling may leave. Without it, replicas is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The most machines that scaling may reach. Without it, replicas is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 5000))]
    pub max: Option<u32>,
    /// What each machine is made of.
    #[serde(default)]
    pub machine: Machine,
    /// On AWS, more machine types that the group may take, the first choice being `machine.type`. They should be alike: what
    /// scales the group counts with the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Identifier>", example = serde_json::json!(["m6a.xlarge", "m5.xlarge"]))]
    pub types: Vec<String>,
    /// On AWS, the availability zones that the group's machines are in, of those of the provider. Without it, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Identifier>", example = serde_json::json!(["eu-west-1a"]))]
    pub zones: Vec<String>,
    /// Labels of the group's nodes.
    #[serde(default)]
    pub labels: Labels,
    /// Taints of the group's nodes.
    #[serde(default)]
    pub taints: Vec<Taint>,
    /// Takes spare capacity that the cloud may take back at any time, for a lower price.
    #[serde(default)]
    pub spot: bool,
    /// How many of a hundred machines are such spare capacity, with `spot: true`; the others are at the usual price. Without it,
    /// all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), example = &70)]
    pub spot_share: Option<u8>,
    /// How machines are replaced or changed.
    #[serde(default)]
    pub rolling: Rolling,
}

fn default_replicas() -> u32 {
    1
}

impl NodeGroup {
    /// The group that bare worker hosts form when a spec names no groups: `workers`, with as many machines as hosts.
    pub(crate) fn of_hosts(name: Name, replicas: u32) -> Self {
        Self {
            name,
            replicas,
            min: None,
            max: None,
            machine: Machine::default(),
            types: Vec::new(),
            zones: Vec::new(),
            labels: Labels::new(),
            taints: Vec::new(),
            spot: false,
            spot_share: None,
            rolling: Rolling::default(),
        }
    }
}

/// How a group's machines are replaced or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rolling {
    /// How many machines of the group may be out of service at once.
    #[schemars(range(min = 1, max = 5000))]
    pub max_unavailable: u32,
    /// On AWS, how many machines more than `replicas` there may be while others are replaced: new ones are made before old ones
    /// go.
    #[schemars(range(max = 5000))]
    pub max_surge: u32,
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            max_unavailable: 1,
            max_surge: 0,
        }
    }
}
