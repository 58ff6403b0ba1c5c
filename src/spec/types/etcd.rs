//! The database of the Kubernetes API.

use keelson_provider_api::etcd::{EtcdInstance, INSTANCES, MAIN};
use keelson_provider_api::values::{Quantity, Span, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Machine, Snapshots};
use crate::spec::text::HttpUrl;
use crate::spec::text::formats::{FilePath, KmsKey};

/// The database of the Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Etcd {
    /// The etcd release. Without it, the one that kubeadm pairs with the Kubernetes release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Where etcd runs: `stacked` on the control planes, `dedicated` on machines of its own, or `external`, run by
    /// someone else.
    pub placement: EtcdPlacement,
    /// Where Kubernetes events are kept: in the same etcd, or in a second one on the same machines, so that a flood of
    /// events cannot slow everything else. It stays as it is for as long as a cluster with Kubernetes lives.
    pub events: EventsPlacement,
    /// How often the leader reports to the other members. About the round trip between them.
    pub heartbeat: Span,
    /// After how long a silence of the leader a member stands for election: at least five, better ten heartbeats, at
    /// most 50s.
    pub election_timeout: Span,
    /// How large the database may grow before it refuses writes, between 16Mi and 100Gi. (etcd's own default is 2Gi,
    /// the most that it suggests 8Gi.)
    pub quota: Quantity,
    /// On AWS, the volume that each member keeps its data on. It outlives the machine: a new one takes it over. Without the
    /// field, one of 20Gi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<EtcdVolume>,
    /// Backups that are taken by themselves.
    pub snapshots: Snapshots,
}

impl Etcd {
    /// The etcds that there are: the one of everything, and that of events where they have their own.
    pub fn instances(&self) -> &'static [&'static EtcdInstance] {
        match self.events {
            EventsPlacement::Shared => &[&MAIN],
            EventsPlacement::Separate => &INSTANCES,
        }
    }
}

impl Default for Etcd {
    fn default() -> Self {
        Self {
            version: None,
            placement: EtcdPlacement::Stacked,
            events: EventsPlacement::Shared,
            heartbeat: Span::from_millis(100),
            election_timeout: Span::from_secs(1),
            quota: Quantity::from_gibibytes(8),
            volume: None,
            snapshots: Snapshots::default(),
        }
    }
}

/// The volume that a member of etcd keeps its data on: EBS of the type gp3, always encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EtcdVolume {
    /// Its size: the quota of each etcd on the machine and a quarter more at least.
    pub size: Quantity,
    /// The KMS key that it is encrypted with: its id or ARN. Without it, the account's own key for EBS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<KmsKey>")]
    pub kms_key: Option<String>,
}

impl Default for EtcdVolume {
    fn default() -> Self {
        Self {
            size: Quantity::from_gibibytes(20),
            kms_key: None,
        }
    }
}

/// Where etcd runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EtcdPlacement {
    /// On the control planes.
    #[default]
    Stacked,
    /// On machines of its own.
    Dedicated(DedicatedEtcd),
    /// Run by someone else; keelson only uses it.
    External(ExternalEtcd),
}

/// Machines that run etcd alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DedicatedEtcd {
    /// How many: 1, 3 or 5. With bare hosts, the number of hosts whose roles name etcd.
    pub replicas: u32,
    /// What each machine is made of.
    pub machine: Machine,
}

impl Default for DedicatedEtcd {
    fn default() -> Self {
        Self {
            replicas: 3,
            machine: Machine::default(),
        }
    }
}

/// An etcd that someone else runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalEtcd {
    /// The client URLs of its members, all https.
    #[schemars(length(min = 1), example = serde_json::json!(["https://10.0.0.21:2379"]))]
    pub endpoints: Vec<HttpUrl>,
    /// The file with the certificate of its authority, PEM.
    #[schemars(with = "FilePath")]
    pub ca: String,
    /// The file with the certificate that API servers show, PEM.
    #[schemars(with = "FilePath", example = &"./etcd-client.crt")]
    pub certificate: String,
    /// The file with that certificate's private key, PEM.
    #[schemars(with = "FilePath", example = &"./etcd-client.key")]
    pub key: String,
}

/// Where Kubernetes events are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventsPlacement {
    /// In the same etcd as everything else.
    #[default]
    Shared,
    /// In an etcd of their own, on the same machines.
    Separate,
}
