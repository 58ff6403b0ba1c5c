//! The database of the Kubernetes API.

use keelson_provider_api::etcd::{EtcdInstance, INSTANCES, MAIN};
use keelson_provider_api::values::{Quantity, Span, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Machine;
use crate::spec::text::formats::{FilePath, Identifier};
use crate::spec::text::{HttpUrl, OnCalendar};

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
            snapshots: Snapshots::default(),
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

/// Backups of etcd that are taken by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Snapshots {
    /// When they are taken, as a systemd calendar expression, in UTC. Without it, only operations that need one take one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<OnCalendar>,
    /// Where those are kept that are taken by the schedule.
    pub to: SnapshotPlace,
    /// Which ones are kept. The newest one always is.
    pub keep: Keep,
}

/// Where backups are kept that are taken by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotPlace {
    /// On the machines that run etcd, each on the one whose member has taken it, at /var/lib/keelson/backups: unencrypted
    /// beyond what the API encrypts, as the data of etcd itself is, and readable by root alone. `keep` counts on each machine
    /// for itself.
    #[default]
    Hosts,
    /// In a bucket, which the machines write to by themselves. `keep` counts there for all of them together.
    S3(SnapshotBucket),
}

/// A bucket of AWS S3, or of any server that speaks S3, and the key that opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotBucket {
    /// Its name.
    #[schemars(length(min = 3, max = 63), example = &"backups")]
    pub bucket: String,
    /// What stands before the paths of all objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(example = &"prod/etcd")]
    pub prefix: String,
    /// Its server; without it, that of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<HttpUrl>,
    /// Its region. Servers that have none take any.
    #[serde(default = "default_region")]
    #[schemars(with = "Identifier")]
    pub region: String,
    /// The id of the access key. Machines are set up anew when another one stands here.
    #[schemars(example = &"AKIAIOSFODNN7EXAMPLE")]
    pub access_key_id: String,
    /// The file with the access key's secret.
    #[schemars(with = "FilePath", example = &"./backups.key")]
    pub secret_access_key: String,
    /// The file with the authority of the server's certificate, PEM; without it, those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FilePath")]
    pub ca: Option<String>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl SnapshotBucket {
    /// Its server's URL.
    pub fn server(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.as_str().trim_end_matches('/').to_owned(),
            None => format!("https://s3.{}.amazonaws.com", self.region),
        }
    }

    /// Whether the bucket's name stands in the path and not in the server's name: no certificate is for a name with further
    /// dots, and few servers but AWS have names for buckets.
    pub fn has_path_style(&self) -> bool {
        self.endpoint.is_some() || self.bucket.contains('.')
    }

    /// The prefix without slashes at its ends.
    pub fn folder(&self) -> &str {
        self.prefix.trim_matches('/')
    }
}

/// How many backups are kept. One that any of the numbers keeps stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Keep {
    /// The last so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10000))]
    pub last: Option<u32>,
    /// The newest of each of the last so many hours that have one.
    #[schemars(range(max = 10000))]
    pub hourly: u32,
    /// The newest of each of the last so many days that have one.
    #[schemars(range(max = 10000))]
    pub daily: u32,
    /// The newest of each of the last so many weeks that have one.
    #[schemars(range(max = 10000))]
    pub weekly: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            last: None,
            hourly: 24,
            daily: 30,
            weekly: 0,
        }
    }
}
