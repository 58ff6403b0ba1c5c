//! Giving a cluster's etcd the data of a snapshot.
//!
//! The snapshot is brought to the machines and compared with what was written down; an intent is written down, control planes are stopped everywhere, members are ended and their data is moved aside, each is
//! given the same data and a new cluster's token, they start, the control planes run again, and the intent goes. Each of these
//! steps finds out by itself what of it was done before, so whoever runs the command again goes on.

use std::time::Duration;

use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::EtcdMember;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    BoxFuture, ClusterIdentity, EtcdInstance, EtcdRestore, Kind, Progress, ProviderError, Restoration,
    SetAside, StepContext,
};
use serde::Serialize;

use super::intent::{self, RestoreIntent};
use super::unpacked::UnpackedSnapshot;
use crate::execute::{Interrupt, Reporter, Silent};
use crate::ops::error::OperationError;
use crate::ops::etcd::{of_machine, step_context};
use crate::ops::identity;
use crate::ops::session::Session;

/// More revisions than are given between a snapshot and its restore, or between two restores: so far above all that is known
/// does a restore begin (<https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-with-revision-bump>).
const MORE_THAN_GIVEN: u64 = 1_000_000_000;
/// So often a step is tried that fails in a way that may pass.
const ATTEMPTS_LIMIT: u32 = 6;
const PAUSE: Duration = Duration::from_secs(5);

/// An etcd that was given the data of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredEtcd {
    /// The etcd.
    pub etcd_cluster: String,
    /// The backup or the file that its data is of.
    pub source: String,
    /// The machines of its members.
    pub members: Vec<String>,
    /// What this restore and earlier ones have moved aside; it stays there until somebody deletes it.
    pub aside: Vec<SetAside>,
    /// Why that is not known, if so.
    pub aside_problem: Option<String>,
}

/// What is done, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    HoldControlPlanes,
    EndMembers,
    PlaceData,
    StartMembers,
    ReleaseControlPlanes,
}

const STAGES: [Stage; 5] = [
    Stage::HoldControlPlanes,
    Stage::EndMembers,
    Stage::PlaceData,
    Stage::StartMembers,
    Stage::ReleaseControlPlanes,
];

impl Stage {
    /// What it does, for whoever looks on.
    const fn words(self) -> &'static str {
        match self {
            Self::HoldControlPlanes => "stop control planes",
            Self::EndMembers => "end the members of before and move their data aside",
            Self::PlaceData => "give each member the snapshot's data",
            Self::StartMembers => "start the members",
            Self::ReleaseControlPlanes => "let control planes run again",
        }
    }
}

impl Session {
    /// Gives the cluster's etcd the data of `snapshot`, whatever its members have now; that is moved aside. What was written
    /// after the snapshot is not there any more.
    ///
    /// `allows_other_cluster` takes a snapshot of which it is not known that it is this cluster's.
    ///
    /// # Errors
    /// [`OperationError::OtherCluster`], [`OperationError::RestoreUnderWay`] when another one has begun and did not come to its
    /// end, [`OperationError::UnknownEtcd`], [`OperationError::Machine`], and those of leases. Once it has begun, the same call
    /// goes on with it.
    pub async fn restore_etcd(
        &self,
        snapshot: &UnpackedSnapshot,
        allows_other_cluster: bool,
        progress: &Progress<'_>,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<RestoredEtcd, OperationError> {
        let restore = self.backup_parts()?.restore.clone();
        let restore = restore.ok_or_else(|| OperationError::Simulated {
            name: self.spec().name().clone(),
            lacks: "data that could be restored",
        })?;
        let etcd = self.etcd_instances(Some(&snapshot.etcd_cluster))?;
        let etcd = etcd.first().copied().ok_or(OperationError::ClockStopped)?;
        let work = self.under_lease("etcd restore", reporter, interrupt, async |lease, _| {
            let identity = self.existing_identity().await?;
            check_cluster(snapshot, &identity, allows_other_cluster)?;
            let begun = self.intent_of(snapshot, etcd).await?;
            let restoration = self.restoration(snapshot, etcd, &begun);
            let context = step_context(identity, lease.generation(), progress);
            // What would stop it half-way is seen before anything is touched.
            restore.check(&context, &restoration).await.map_err(of_machine)?;
            progress.tell("bring the snapshot to the machines");
            self.patiently(|| restore.bring_snapshot(&context, &restoration))
                .await?;
            if interrupt.is_stopped() && intent::read(self.store(), self.spec().name()).await?.is_none() {
                return Err(OperationError::Interrupted(None));
            }
            intent::write(self.store(), self.spec().name(), &begun).await?;
            for stage in STAGES {
                if interrupt.is_stopped() {
                    let words = format!("etcd {} is being restored from {}", etcd.cluster, snapshot.source);
                    return Err(OperationError::StoppedAmid(words));
                }
                progress.tell(stage.words());
                self.patiently(|| carry_out(stage, &*restore, &context, &restoration))
                    .await?;
            }
            self.note_revision(etcd).await?;
            intent::clear(self.store(), self.spec().name()).await?;
            // It is done, whatever is known of this.
            let aside = restore.set_aside(&context, &restoration).await;
            let aside_problem = aside.as_ref().err().map(ToString::to_string);
            Ok(RestoredEtcd {
                etcd_cluster: etcd.cluster.to_owned(),
                source: snapshot.source.clone(),
                members: restoration.founders,
                aside: aside.unwrap_or_default(),
                aside_problem,
            })
        });
        self.drive(work).await
    }

    /// What is to be done, as it has begun or will begin.
    async fn intent_of(
        &self,
        snapshot: &UnpackedSnapshot,
        etcd: &'static EtcdInstance,
    ) -> Result<RestoreIntent, OperationError> {
        let begun_at = self.clock().now();
        let founders = self.founders_of(etcd)?;
        let id = format!(
            "{}\n{}\n{}",
            snapshot.sum.sha256,
            begun_at.as_nanosecond(),
            self.parts.holder
        );
        let bump_revision = self.bump_revision(snapshot, etcd).await?;
        let wanted = RestoreIntent {
            id: Digest::of_bytes(id.as_bytes()).short(24),
            etcd_cluster: etcd.cluster.to_owned(),
            source: snapshot.source.clone(),
            sha256: snapshot.sum.sha256.clone(),
            begun_at,
            founders,
            bump_revision,
        };
        intent::begun_or(self.store(), self.spec().name(), wanted).await
    }

    fn restoration(
        &self,
        snapshot: &UnpackedSnapshot,
        etcd: &'static EtcdInstance,
        begun: &RestoreIntent,
    ) -> Restoration {
        Restoration {
            id: begun.id.clone(),
            begun_at: begun.begun_at,
            etcd,
            founders: begun.founders.clone(),
            file: snapshot.file.clone(),
            sha256: snapshot.sum.sha256.clone(),
            size_bytes: snapshot.sum.size_bytes,
            noted: snapshot.noted(),
            bump_revision: begun.bump_revision,
            serves_kubernetes: !self.spec().is_etcd_alone() && etcd.cluster == MAIN.cluster,
        }
    }

    /// By how much revisions have to go up so that none is given that anybody has seen: above those of the members that answer,
    /// and above those of the restore before. Whoever watches would otherwise wait for one that is long past.
    async fn bump_revision(
        &self,
        snapshot: &UnpackedSnapshot,
        etcd: &EtcdInstance,
    ) -> Result<u64, OperationError> {
        let record = self.living().await?;
        let restored = record.and_then(|record| record.restored_revisions.get(etcd.cluster).copied());
        let seen = self.newest_revision(etcd).await?;
        let floor = restored
            .unwrap_or(0)
            .max(seen.unwrap_or(0))
            .max(snapshot.revision());
        Ok(floor.saturating_add(MORE_THAN_GIVEN) - snapshot.revision())
    }

    /// The newest revision that a member of `etcd` tells of, if one answers.
    async fn newest_revision(&self, etcd: &EtcdInstance) -> Result<Option<u64>, OperationError> {
        let report = self.look_at_etcd(&Silent).await?;
        let members = report
            .clusters
            .get(etcd.cluster)
            .into_iter()
            .flat_map(|cluster| &cluster.members);
        Ok(members.filter_map(|member| member.revision).max())
    }

    /// Writes down which revision a restore began at.
    async fn note_revision(&self, etcd: &EtcdInstance) -> Result<(), OperationError> {
        let Some(revision) = self.newest_revision(etcd).await? else {
            return Ok(());
        };
        identity::amend(self.store(), self.spec().name(), |record| {
            record
                .restored_revisions
                .insert(etcd.cluster.to_owned(), revision);
        })
        .await?;
        Ok(())
    }

    /// The machines that the spec gives members of `etcd`.
    fn founders_of(&self, etcd: &EtcdInstance) -> Result<Vec<String>, OperationError> {
        let desired = self.desired_state()?;
        let members = desired
            .resources
            .keys()
            .filter(|key| key.kind() == Kind::EtcdMember);
        let members = members.filter_map(|key| EtcdMember::parse_name(key.name()));
        let of_etcd = members.filter(|(cluster, _)| *cluster == etcd.cluster);
        Ok(of_etcd.map(|(_, machine)| machine.to_owned()).collect())
    }

    /// Tries a step again that fails in a way that may pass.
    async fn patiently<'a>(
        &self,
        step: impl Fn() -> BoxFuture<'a, Result<(), ProviderError>>,
    ) -> Result<(), OperationError> {
        let mut attempts = 1;
        loop {
            match step().await {
                Ok(()) => return Ok(()),
                Err(error) if error.class.may_pass() && attempts < ATTEMPTS_LIMIT => {
                    self.clock().sleep(PAUSE * attempts).await;
                    attempts += 1;
                }
                Err(error) => return Err(of_machine(error)),
            }
        }
    }
}

fn carry_out<'a>(
    stage: Stage,
    restore: &'a dyn EtcdRestore,
    context: &'a StepContext<'a>,
    restoration: &'a Restoration,
) -> BoxFuture<'a, Result<(), ProviderError>> {
    match stage {
        Stage::HoldControlPlanes => restore.hold_control_planes(context),
        Stage::EndMembers => restore.end_members(context, restoration),
        Stage::PlaceData => restore.place_data(context, restoration),
        Stage::StartMembers => restore.start_members(context, restoration),
        Stage::ReleaseControlPlanes => restore.release_control_planes(context),
    }
}

fn check_cluster(
    snapshot: &UnpackedSnapshot,
    identity: &ClusterIdentity,
    allows_other_cluster: bool,
) -> Result<(), OperationError> {
    let other = match &snapshot.of_cluster {
        _ if allows_other_cluster => return Ok(()),
        Some((_, uid)) if Some(uid) == identity.uid.as_ref() => return Ok(()),
        Some((name, uid)) => format!("the cluster {name} with the uid {uid}"),
        None => "a cluster that the file does not name".to_owned(),
    };
    Err(OperationError::OtherCluster {
        source_words: snapshot.source.clone(),
        other,
    })
}
