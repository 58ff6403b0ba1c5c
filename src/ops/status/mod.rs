//! How a cluster is doing.

mod certificates;
mod gather;
mod last_snapshots;
mod schedule;
mod waiting;
mod yet_to_come;

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::{MachineRole, MemberPhase};
use keelson_provider_api::values::{ClusterName, Version};
use keelson_provider_api::{ResourceKey, StoreError};
use serde::Serialize;

use super::backups::{BackupPlace, intent};
use super::error::OperationError;
use super::session::Session;
use crate::execute::lease::lease_path;
use crate::execute::{LeaseRecord, Reporter};
use crate::plan::Problem;

const STATE_STORE: BackupPlace = BackupPlace::StateStore;

/// How a cluster is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// The cluster.
    pub name: ClusterName,
    /// When the world was looked at, in the providers' time.
    pub observed_at: Timestamp,
    /// True when there is such a cluster.
    pub exists: bool,
    /// How it is as a whole.
    pub condition: Condition,
    /// What is wrong or missing: first a restore that stands, then what could not be looked at, then what concerns the
    /// cluster as a whole, then each resource that is unwell, by kind, then what is missing, then what is blocked and not yet
    /// named. Where none of these is wrong and an apply would change something: that.
    pub problems: Vec<Problem>,
    /// Host and port of the API; nothing while the cloud has not given its load balancer an address.
    pub endpoint: Option<String>,
    /// What else deserves attention, in words, and leaves the condition as it is: snapshots that do not come.
    pub warnings: Vec<String>,
    /// The machines, by name; with those that could not be looked at.
    pub machines: Vec<MachineStatus>,
    /// The etcd clusters, by name.
    pub etcd: BTreeMap<String, EtcdStatus>,
    /// The control planes.
    pub control_planes: Vec<ControlPlaneStatus>,
    /// The nodes.
    pub nodes: Vec<NodeStatus>,
    /// Its certificates; nothing where there is no such cluster, and of a simulated one, which has none.
    pub certificates: Option<CertificatesStatus>,
    /// When the cluster has outlived its purpose, if its spec says so. Nothing ends it by itself.
    pub ends_at: Option<Timestamp>,
    /// The last snapshot of the etcd `main`, if there is one.
    pub last_snapshot: Option<SnapshotStatus>,
    /// The last snapshot of each etcd that keelson runs, by the etcd's name; nothing where there is none.
    pub last_snapshots: BTreeMap<String, Option<SnapshotStatus>>,
    /// How many changes an apply would make now.
    pub pending_changes: usize,
    /// What of machines, what they run, members of etcd and control planes is not there, and an apply would make now, and the members
    /// and control planes that it would take away or have vote: nobody else does. Where nothing else is wrong, all that it would change.
    #[serde(skip)]
    pub yet_to_come: Vec<ResourceKey>,
    /// How many resources an apply could not touch now.
    pub blocked: usize,
    /// Who is changing the cluster now, if anyone is.
    pub lease: Option<LeaseRecord>,
}

impl ClusterStatus {
    /// True when it is healthy and as the spec says.
    pub fn is_well(&self) -> bool {
        self.condition == Condition::Healthy && self.pending_changes == 0
    }
}

/// How a cluster is as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Everything that should be there is there and does its work.
    Healthy,
    /// It serves, and something is not as it should be.
    Degraded,
    /// The API does not answer; of etcd alone, its main cluster has no quorum.
    Down,
    /// There is no such cluster.
    Absent,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineStatus {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// What it is for.
    pub roles: Vec<MachineRole>,
    /// The provider's name for it; empty where it could not be looked at.
    pub id: String,
    /// What is wrong with it, if anything; `unknown` where it could not be looked at.
    pub problem: Option<String>,
    /// Facts: addresses, zone.
    pub facts: BTreeMap<String, String>,
}

/// An etcd cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdStatus {
    /// True when more than half of the voters answer.
    pub quorum: bool,
    /// Its members.
    pub members: Vec<MemberStatus>,
}

/// A member of an etcd cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Its machine.
    pub machine: String,
    /// How far it is on its way to voting.
    pub phase: MemberPhase,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
    /// Facts: revision, size.
    pub facts: BTreeMap<String, String>,
}

/// API server, controller manager and scheduler on one machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlPlaneStatus {
    /// Its machine.
    pub machine: String,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

/// A Kubernetes node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The version of its kubelet.
    pub version: Option<Version>,
    /// True when it is Ready.
    pub ready: bool,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

/// The certificates of a cluster, in the state store and on its machines: how many there are of which kind.
/// [`Session::check_certificates`] has each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificatesStatus {
    /// All that there should be.
    pub count: usize,
    /// Those that are missing, damaged, near their end or past it.
    pub not_good: usize,
    /// Those of which nothing is known, for example because their authority is encrypted and nothing opens it here.
    pub unknown: usize,
    /// When the first of them ends.
    pub next_end: Option<Timestamp>,
    /// Machines whose certificates could not be looked at.
    pub unseen_machines: usize,
}

/// A snapshot of etcd.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// Its name: where it lies on a machine, the etcd cluster and the time.
    pub name: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What it was taken for.
    pub purpose: String,
}

/// What is `Ok`, or else the damage, where nothing but the object `own` is damaged, which looking does not need.
fn or_damage<T>(
    read: Result<Option<T>, StoreError>,
    own: &str,
) -> Result<(Option<T>, Option<StoreError>), StoreError> {
    match read {
        Ok(read) => Ok((read, None)),
        Err(damage) if matches!(&damage, StoreError::Damaged { path, .. } if path == own) => {
            Ok((None, Some(damage)))
        }
        Err(error) => Err(error),
    }
}

impl Session {
    /// Looks at the world and says how the cluster is doing. A lease that cannot be read is one of its problems, and so is a restore
    /// that stands, or of which that cannot be read.
    ///
    /// # Errors
    /// When the state store cannot be read, or does not say which cluster this is.
    pub async fn status(&self, reporter: &dyn Reporter) -> Result<ClusterStatus, OperationError> {
        let name = self.spec().name();
        let looking = async {
            let record = self.living().await?;
            let standing = intent::standing(self.store(), name).await;
            let (restore, damage) = or_damage(standing, &intent::path(name))?;
            let planned = self.look(record.as_ref(), restore, reporter);
            // At the same time: all ask the machines, and one that does not answer is waited for once.
            let (planned, certificates, snapshots) = tokio::join!(
                planned,
                self.certificates(record.as_ref()),
                self.snapshots_in_time(record.as_ref())
            );
            Ok((record, planned?, certificates?, snapshots, damage))
        };
        let (record, planned, certificates, snapshots, damage) = self.drive(looking).await?;
        let held = self.lease_beside(record.as_ref()).await;
        let (held, damage_of_lease) = or_damage(held, &lease_path(name))?;
        let lease = held.filter(|lease| !lease.released && lease.expires_at > self.parts.lease_clock.now());
        let mut status = self.summarise(&planned, record.as_ref(), lease);
        status.certificates = certificates;
        status.warnings = snapshots.warnings;
        last_snapshots::take_newer(&mut status.last_snapshots, snapshots.newest);
        status.last_snapshot = status.last_snapshots.get(MAIN.cluster).cloned().flatten();
        for damage in damage_of_lease.into_iter().chain(damage) {
            let words = format!("{damage}; nothing can be changed until it is mended");
            status.problems.insert(0, Problem::of_all(words));
            status.condition = status.condition.max(Condition::Degraded);
        }
        Ok(status)
    }
}
