//! How a cluster is doing.

mod certificates;
mod gather;
mod last_snapshots;
mod schedule;

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::StoreError;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::{MachineRole, MemberPhase};
use keelson_provider_api::values::{ClusterName, Version};
use serde::Serialize;

use super::backups::BackupPlace;
use super::error::OperationError;
use super::session::Session;
use crate::execute::lease::lease_path;
use crate::execute::{Interrupt, LeaseRecord, Reporter};
use crate::plan::Problem;

const STATE_STORE: BackupPlace = BackupPlace::StateStore;

/// How often [`Session::wait_until_healthy`] looks.
const POLL: std::time::Duration = std::time::Duration::from_secs(5);

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
    /// What is wrong or missing: first what could not be looked at, then what concerns the cluster as a whole, then each
    /// resource that is unwell, by kind, then what is missing, then what is blocked and not yet named. Where none of these is
    /// wrong and an apply would change something: that.
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

/// True where nothing but the lease is damaged, which looking does not need.
fn is_of_lease(damage: &StoreError, cluster: &ClusterName) -> bool {
    matches!(damage, StoreError::Damaged { path, .. } if *path == lease_path(cluster))
}

impl Session {
    /// Looks at the world and says how the cluster is doing. A lease that cannot be read is one of its problems.
    ///
    /// # Errors
    /// When the state store cannot be read, or does not say which cluster this is.
    pub async fn status(&self, reporter: &dyn Reporter) -> Result<ClusterStatus, OperationError> {
        let looking = async {
            let record = self.living().await?;
            let planned = self.look(record.as_ref(), reporter);
            // At the same time: all ask the machines, and one that does not answer is waited for once.
            let (planned, certificates, snapshots) = tokio::join!(
                planned,
                self.certificates(record.as_ref()),
                self.snapshots_in_time(record.as_ref())
            );
            Ok((record, planned?, certificates?, snapshots))
        };
        let (record, planned, certificates, snapshots) = self.drive(looking).await?;
        let (held, damage) = match self.lease_beside(record.as_ref()).await {
            Ok(held) => (held, None),
            Err(damage) if is_of_lease(&damage, self.spec().name()) => (None, Some(damage)),
            Err(error) => return Err(error.into()),
        };
        let lease = held.filter(|lease| !lease.released && lease.expires_at > self.parts.lease_clock.now());
        let mut status = self.summarise(&planned, record.as_ref(), lease);
        status.certificates = certificates;
        status.warnings = snapshots.warnings;
        last_snapshots::take_newer(&mut status.last_snapshots, snapshots.newest);
        status.last_snapshot = status.last_snapshots.get(MAIN.cluster).cloned().flatten();
        if let Some(damage) = damage {
            let words = format!("{damage}; nothing can be changed until it is mended");
            status.problems.insert(0, Problem::of_all(words));
            status.condition = status.condition.max(Condition::Degraded);
        }
        Ok(status)
    }

    /// Looks again and again until the cluster is healthy and as the spec says.
    ///
    /// # Errors
    /// [`OperationError::TimedOut`] when `patience`, in the providers' time, ends before; [`OperationError::Interrupted`] when asked to stop.
    pub async fn wait_until_healthy(
        &self,
        patience: std::time::Duration,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let deadline = self.deadline(patience);
        let last = self.last_status_by(deadline, reporter, interrupt).await?;
        if last.is_well() {
            return Ok(last);
        }
        Err(OperationError::TimedOut(deadline))
    }

    /// The same, and where the cluster is not healthy in time the last status, which says what is wrong.
    ///
    /// # Errors
    /// When it cannot be looked; [`OperationError::Interrupted`] when asked to stop.
    pub async fn status_when_healthy(
        &self,
        patience: std::time::Duration,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        self.last_status_by(self.deadline(patience), reporter, interrupt)
            .await
    }

    fn deadline(&self, patience: std::time::Duration) -> Timestamp {
        let now = self.clock().now();
        now.checked_add(patience).unwrap_or(Timestamp::MAX)
    }

    async fn last_status_by(
        &self,
        deadline: Timestamp,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let clock = self.clock();
        loop {
            let status = self.status(reporter).await?;
            if status.is_well() || clock.now() >= deadline {
                return Ok(status);
            }
            tokio::select! {
                () = clock.drive(clock.sleep(POLL)) => {}
                () = interrupt.stopped() => return Err(OperationError::Interrupted(None)),
            }
        }
    }
}
