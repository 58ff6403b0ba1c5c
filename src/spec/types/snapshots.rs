//! Backups of etcd that are taken by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ClusterSpec;
use crate::spec::text::formats::{FilePath, Identifier};
use crate::spec::text::{Bucket, HttpUrl, OnCalendar, StateStore};

/// Backups of etcd that are taken by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Snapshots {
    /// When they are taken, as a systemd calendar expression, in UTC. Without it, only operations that need one take one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<OnCalendar>,
    /// Where those are kept that are taken by the schedule.
    pub to: SnapshotPlace,
    /// Which ones are kept. The newest one always is. A number that is left out has its default, 24 hourly, 30 daily, none
    /// weekly and none of the last, whatever else is written; 0 turns its rule off.
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
    /// In the bucket of the state store, beside those that are saved by hand, and written there by the machines themselves.
    /// `keep` counts for all of them together. The spec's stateStore is s3://… with a region or an endpoint, which machines
    /// cannot know from anybody's environment.
    #[serde(rename = "stateStore")]
    StateStore(MachinesKey),
}

/// The key by which machines write to the bucket of the state store. It needs no right but to what begins with
/// PREFIX/CLUSTER/backups/etcd/: the rest of the store holds the cluster's own keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachinesKey {
    /// Its id. Machines are set up anew when another one stands here.
    #[schemars(example = &"AKIAIOSFODNN7EXAMPLE")]
    pub access_key_id: String,
    /// The file with its secret.
    #[schemars(with = "FilePath", example = &"./backups.key")]
    pub secret_access_key: String,
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
    SnapshotBucket::DEFAULT_REGION.to_owned()
}

impl SnapshotBucket {
    /// What servers of S3 that have no regions take for one.
    pub const DEFAULT_REGION: &str = "us-east-1";

    /// The bucket of a state store, to which machines write with `key`.
    fn of_state_store(bucket: &Bucket, key: &MachinesKey) -> Self {
        Self {
            bucket: bucket.name.clone(),
            prefix: bucket.prefix.clone(),
            endpoint: bucket.endpoint.clone(),
            region: bucket.region.clone().unwrap_or_else(default_region),
            access_key_id: key.access_key_id.clone(),
            secret_access_key: key.secret_access_key.clone(),
            ca: bucket.ca.clone(),
        }
    }

    /// True when it is the same part of the same bucket as `other`.
    fn is_at(&self, other: &Bucket) -> bool {
        let server = |endpoint: Option<&HttpUrl>| endpoint.and_then(own_server);
        self.bucket == other.name
            && self.folder() == other.prefix
            && server(self.endpoint.as_ref()) == server(other.endpoint.as_ref())
    }

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

/// How many backups are kept. One that any of the numbers keeps stays. A number that is left out has its default, 24 hourly,
/// 30 daily, none weekly and none of the last, whatever else is written; 0 turns its rule off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Keep {
    /// The last so many; none by this rule without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10000))]
    pub last: Option<u32>,
    /// The newest of each of the last so many hours that have one: 24 where it is left out, 0 for none.
    #[schemars(range(max = 10000))]
    pub hourly: u32,
    /// The newest of each of the last so many days that have one: 30 where it is left out, 0 for none.
    #[schemars(range(max = 10000))]
    pub daily: u32,
    /// The newest of each of the last so many weeks that have one: none where it is left out.
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

/// The server behind a URL, so that two that lead to the same one are equal; nothing for those of AWS, where no two buckets
/// have the same name.
fn own_server(endpoint: &HttpUrl) -> Option<String> {
    let host = endpoint.authority().to_ascii_lowercase();
    let usual = if endpoint.is_secure() { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    (!host.ends_with(".amazonaws.com")).then(|| host.to_owned())
}

impl ClusterSpec {
    /// The bucket that machines write snapshots to, and the key that they have; nothing where each keeps its own.
    pub fn snapshot_bucket(&self) -> Option<SnapshotBucket> {
        match (&self.etcd.snapshots.to, &self.state_store) {
            (SnapshotPlace::S3(bucket), _) => Some(bucket.clone()),
            (SnapshotPlace::StateStore(key), StateStore::S3(bucket)) => {
                Some(SnapshotBucket::of_state_store(bucket, key))
            }
            (SnapshotPlace::Hosts | SnapshotPlace::StateStore(_), _) => None,
        }
    }

    /// True when machines write snapshots to where the state store has those that are saved by hand.
    pub fn keeps_snapshots_in_state_store(&self) -> bool {
        match (&self.etcd.snapshots.to, &self.state_store) {
            (SnapshotPlace::StateStore(_), _) => true,
            (SnapshotPlace::S3(bucket), StateStore::S3(store)) => bucket.is_at(store),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_is_known_under_its_other_names() {
        let rows = [
            ("s3://abc/p", "abc", "/p/", None, true),
            ("s3://abc/p?region=eu-west-1", "abc", "p", None, true),
            (
                "s3://abc/p",
                "abc",
                "p",
                Some("https://s3.eu-west-1.amazonaws.com"),
                true,
            ),
            ("s3://abc", "abc", "", Some("https://minio.example.com"), false),
            (
                "s3://abc?endpoint=https://minio.example.com/",
                "abc",
                "",
                Some("https://MINIO.example.com:443"),
                true,
            ),
            (
                "s3://abc?endpoint=http://minio.example.com:9000",
                "abc",
                "",
                Some("http://minio.example.com"),
                false,
            ),
            ("s3://abc", "abc", "p", None, false),
            ("s3://abc", "abd", "", None, false),
        ];
        for (store, bucket, prefix, endpoint, is_same) in rows {
            let Ok(StateStore::S3(place)) = store.parse() else {
                panic!("{store}")
            };
            let own = SnapshotBucket {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
                endpoint: endpoint.map(|endpoint| endpoint.parse().unwrap()),
                region: default_region(),
                access_key_id: "AKIA1".to_owned(),
                secret_access_key: "./key".to_owned(),
                ca: None,
            };
            assert_eq!(
                own.is_at(&place),
                is_same,
                "{store} {bucket} {prefix} {endpoint:?}"
            );
        }
    }
}
