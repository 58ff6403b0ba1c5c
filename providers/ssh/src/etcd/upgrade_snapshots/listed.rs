//! The snapshots that lie on the machines, at `/var/lib/keelson/snapshots/<name>.db` with a manifest each.
//!
//! A snapshot without a manifest is not whole and is no snapshot. Looking at them needs no etcd, so they are found
//! also when there is no quorum, which is when they are wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use keelson_provider_api::kinds::EtcdSnapshot;
use keelson_provider_api::{
    ClusterUid, Existing, Health, Kind, KindObservation, Observed, Owner, ResourceKey,
};
use serde::{Deserialize, Serialize};

use crate::etcd::reach::Reach;
use crate::hearing::Hearing;
use crate::shell::Job;

const SCRIPT: &str = include_str!("../../scripts/etcd-upgrade-snapshots.sh");
const LIMIT: Duration = Duration::from_secs(30);
const LOOKS_AT_ONCE: usize = 32;
/// Thousands of snapshots, half a kilobyte each.
const ANSWER_BYTES: usize = 4 << 20;

/// What is written down about a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::etcd) struct Manifest {
    /// The cluster that it is of.
    pub cluster_uid: ClusterUid,
    /// Its name, for people.
    pub cluster_name: String,
    /// The snapshot's name.
    pub name: String,
    /// The etcd cluster.
    pub etcd_cluster: String,
    /// What it was taken before.
    pub purpose: String,
    /// Which incarnation of the name it is.
    pub generation: u32,
    /// When it was taken.
    pub created_at: Timestamp,
    /// The machine whose member wrote it.
    pub machine: String,
    /// etcd's own hash of the keys and values.
    pub hash: u32,
    /// The revision that it was taken at.
    pub revision: u64,
    /// How many revisions of keys are in it.
    pub total_keys: u64,
    /// How large the file is, in bytes.
    pub size: u64,
    /// The SHA-256 of the file.
    pub sha256: String,
}

/// A manifest, and how large the file beside it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::etcd) struct Stored {
    pub manifest: Manifest,
    pub size: Option<u64>,
}

impl Stored {
    /// True when the file is as large as it was.
    pub(super) fn is_whole(&self) -> bool {
        self.size == Some(self.manifest.size)
    }
}

/// The snapshots on every machine, or why they could not be listed.
pub(in crate::etcd) async fn list(reach: &dyn Reach) -> BTreeMap<String, Result<Vec<Stored>, String>> {
    let absent = reach.absent().await;
    let machines = reach
        .machines()
        .into_iter()
        .filter(|machine| !absent.contains(machine));
    let looks = machines.map(|machine| async move {
        let listed = list_one(reach, &machine).await;
        (machine, listed)
    });
    stream::iter(looks)
        .buffer_unordered(LOOKS_AT_ONCE)
        .collect()
        .await
}

async fn list_one(reach: &dyn Reach, machine: &str) -> Result<Vec<Stored>, String> {
    let shell = reach
        .shell(machine)
        .ok_or_else(|| format!("{machine} is not among the cluster's machines"))?;
    let job = Job {
        name: "list snapshots of etcd",
        script: SCRIPT,
        arguments: Vec::new(),
        input: Vec::new(),
        timeout: LIMIT,
    };
    let hearing = Hearing::new(ANSWER_BYTES);
    shell
        .run(&job, &|line| hearing.hear(line))
        .await
        .map_err(|error| format!("{machine} does not answer: {}", error.problem))?;
    read(&hearing.into_text()).ok_or_else(|| format!("the list of snapshots on {machine} was cut short"))
}

/// Reads what the script wrote. What is no manifest is no snapshot.
fn read(text: &str) -> Option<Vec<Stored>> {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.pop() != Some("end") {
        return None;
    }
    let stored = lines.into_iter().filter_map(|line| {
        let (size, manifest) = line.split_once(' ')?;
        let manifest = serde_json::from_str(manifest.trim()).ok()?;
        Some(Stored {
            manifest,
            size: size.parse().ok(),
        })
    });
    Some(stored.collect())
}

/// What the planner is told: this cluster's snapshots, and whatever has one of the names in `wanted`.
pub(in crate::etcd) fn observe(
    uid: Option<&ClusterUid>,
    listed: &BTreeMap<String, Result<Vec<Stored>, String>>,
    wanted: &BTreeSet<ResourceKey>,
) -> KindObservation {
    let mut seen = KindObservation::default();
    for (machine, stored) in listed
        .iter()
        .filter_map(|(machine, stored)| Some((machine, stored.as_ref().ok()?)))
    {
        for stored in stored {
            let key = ResourceKey::new(Kind::EtcdSnapshot, &*stored.manifest.name);
            let is_ours = Some(&stored.manifest.cluster_uid) == uid;
            let is_better = match seen.found.get(&key) {
                Some(Observed::Present(other)) => is_ours && stored.is_whole() && !other.health.is_healthy(),
                _ => is_ours || wanted.contains(&key),
            };
            if is_better {
                seen.found
                    .insert(key, Observed::Present(existing(machine, stored, is_ours)));
            }
        }
    }
    let silent = listed.values().find_map(|stored| stored.as_ref().err());
    for key in wanted.iter().filter(|key| key.kind() == Kind::EtcdSnapshot) {
        if let (Some(why), false) = (silent, seen.found.contains_key(key)) {
            seen.found.insert(key.clone(), Observed::Unknown(why.clone()));
        }
    }
    seen
}

fn existing(machine: &str, stored: &Stored, is_ours: bool) -> Existing {
    let manifest = &stored.manifest;
    let facts = [
        ("machine", machine.to_owned()),
        ("file", format!("/var/lib/keelson/snapshots/{}.db", manifest.name)),
        ("revision", manifest.revision.to_string()),
        ("hash", format!("{:08x}", manifest.hash)),
        ("keys", manifest.total_keys.to_string()),
        ("size", format!("{} KiB", manifest.size.div_ceil(1024))),
        ("sha256", manifest.sha256.clone()),
    ];
    let health = match stored.size {
        _ if stored.is_whole() => Health::Healthy,
        None => Health::Unhealthy(format!("its file is not on {machine} any more")),
        Some(size) => Health::Unhealthy(format!(
            "its file on {machine} has {size} bytes, and had {}",
            manifest.size
        )),
    };
    Existing {
        resource: EtcdSnapshot {
            cluster: manifest.etcd_cluster.clone(),
            purpose: manifest.purpose.clone(),
        }
        .into(),
        id: manifest.sha256.clone(),
        owner: if is_ours {
            Owner::ThisCluster
        } else {
            Owner::Other(format!(
                "the cluster {} with the uid {}",
                manifest.cluster_name, manifest.cluster_uid
            ))
        },
        health,
        created_at: manifest.created_at,
        generation: manifest.generation,
        host_id: None,
        facts: facts.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(uid: &str) -> Manifest {
        Manifest {
            cluster_uid: ClusterUid::new(uid),
            cluster_name: "prod".to_owned(),
            name: "main:1".to_owned(),
            etcd_cluster: "main".to_owned(),
            purpose: "upgrade".to_owned(),
            generation: 0,
            created_at: Timestamp::UNIX_EPOCH,
            machine: "a".to_owned(),
            hash: 7,
            revision: 9,
            total_keys: 3,
            size: 20,
            sha256: "ab".to_owned(),
        }
    }

    fn line(size: &str, uid: &str) -> String {
        format!("{size} {} \n", serde_json::to_string(&manifest(uid)).unwrap())
    }

    fn told(lists: &[(&str, Result<String, &str>)], wanted: bool) -> Option<Observed<Existing>> {
        let listed = lists.iter().map(|(machine, text)| {
            let stored = match text {
                Ok(text) => Ok(read(&format!("{text}end\n")).unwrap()),
                Err(why) => Err((*why).to_owned()),
            };
            ((*machine).to_owned(), stored)
        });
        let key = ResourceKey::new(Kind::EtcdSnapshot, "main:1");
        let wanted: BTreeSet<ResourceKey> = wanted.then(|| key.clone()).into_iter().collect();
        let uid = ClusterUid::new("uid");
        observe(Some(&uid), &listed.collect(), &wanted).found.remove(&key)
    }

    fn health(observed: Option<Observed<Existing>>) -> Health {
        match observed {
            Some(Observed::Present(existing)) => existing.health,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_snapshot_is_well_while_its_file_is_whole_somewhere() {
        assert!(health(told(&[("a", Ok(line("20", "uid")))], false)).is_healthy());
        assert!(!health(told(&[("a", Ok(line("19", "uid")))], false)).is_healthy());
        assert!(!health(told(&[("a", Ok(line("-", "uid")))], false)).is_healthy());
        let both = [("a", Ok(line("-", "uid"))), ("b", Ok(line("20", "uid")))];
        assert!(health(told(&both, false)).is_healthy());
    }

    #[test]
    fn a_snapshot_that_may_be_on_a_silent_machine_is_unknown() {
        let lists = [("a", Ok(String::new())), ("b", Err("b does not answer"))];
        assert_eq!(
            told(&lists, true),
            Some(Observed::Unknown("b does not answer".to_owned()))
        );
        assert_eq!(told(&lists, false), None);
        assert_eq!(told(&lists[..1], true), None, "it is absent");
    }

    #[test]
    fn anothers_snapshot_is_shown_only_where_its_name_is_wanted() {
        let lists = [("a", Ok(line("20", "other")))];
        assert_eq!(told(&lists, false), None);
        let Some(Observed::Present(existing)) = told(&lists, true) else {
            panic!("it is in the way")
        };
        assert!(matches!(existing.owner, Owner::Other(_)));
    }

    #[test]
    fn rubbish_is_no_snapshot_and_a_list_that_was_cut_is_none() {
        assert_eq!(read("20 {}\nx\n\n- [\n7 {\"name\":1}\nend\n"), Some(Vec::new()));
        for text in ["", "end\n20 {}", "en"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
