//! Giving a cluster's etcd the data of a snapshot.
//!
//! The snapshot is brought to the machines and compared with what was written down; an intent is written down, control planes
//! are stopped everywhere, members are ended and their data is moved aside, each is given the same data and a new cluster's
//! token, they start, the control planes run again, and the intent goes. Each of these steps finds out by itself what of it was
//! done before, so whoever runs the command again goes on.

use std::time::Duration;

use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{
    BoxFuture, ErrorClass, EtcdInstance, EtcdRestore, Progress, ProviderError, Restoration, SetAside,
    StepContext,
};
use serde::Serialize;

use super::beginning::{Beginning, RestoreTerms};
use super::begun::stopped;
use super::intent::{self, RestoreIntent};
use super::unpacked::UnpackedSnapshot;
use crate::execute::{Interrupt, Reporter};
use crate::ops::error::OperationError;
use crate::ops::etcd::{of_machine, step_context};
use crate::ops::session::Session;

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
    /// Other etcds of the cluster that have lost their data: each waits for a restore of its own, and nothing is well before.
    pub waiting: Vec<String>,
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
/// What is left of it where nobody is there who could be given the data: as after the loss of all members, an apply makes their
/// machines anew and waits for data.
const GIVEN_UP: [Stage; 2] = [Stage::HoldControlPlanes, Stage::EndMembers];

const fn stages(begun: &RestoreIntent) -> &'static [Stage] {
    if begun.founders.is_empty() {
        &GIVEN_UP
    } else {
        &STAGES
    }
}

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
    /// # Errors
    /// [`OperationError::OtherCluster`], [`OperationError::OtherEncryptionKey`], [`OperationError::RestoreUnderWay`] when another
    /// one has begun and did not come to its end, [`OperationError::UnknownEtcd`], [`OperationError::Machine`],
    /// [`OperationError::NoFounder`] when one that is begun anew has nobody who could be given the data, and those of leases.
    /// Once it has begun, the same call goes on with it, with [`begins_anew`](RestoreTerms::begins_anew) or without.
    pub async fn restore_etcd(
        &self,
        snapshot: &UnpackedSnapshot,
        terms: RestoreTerms,
        progress: &Progress<'_>,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<RestoredEtcd, OperationError> {
        let restore = self.backup_parts()?.restore.clone();
        let restore = restore.ok_or_else(|| OperationError::Simulated {
            name: self.spec().name().clone(),
            lacks: "data that could be restored",
        })?;
        let etcd = self.etcd_instance(&snapshot.etcd_cluster)?;
        let work = self.under_lease("etcd restore", reporter, interrupt, async |lease, _| {
            let identity = self.existing_identity().await?;
            let beginning = self
                .begun_or_new(snapshot, etcd, terms, &identity, progress)
                .await?;
            let begun = &beginning.intent;
            let restoration = self.restoration(snapshot, etcd, begun);
            let context = step_context(identity, lease.generation(), progress);
            let version = self.begin(&*restore, &context, &restoration, &beginning, interrupt);
            let version = version
                .await
                .map_err(|error| match (error, beginning.standing()) {
                    (OperationError::Interrupted(_), Some(standing)) => stopped_amid(standing),
                    (error, _) => error,
                })?;
            for &stage in stages(begun) {
                if interrupt.is_stopped() {
                    return Err(stopped_amid(begun));
                }
                progress.tell(stage.words());
                let done = self.patiently(progress, interrupt, ErrorClass::may_pass, || {
                    carry_out(stage, &*restore, &context, &restoration)
                });
                done.await.map_err(|error| match error {
                    OperationError::Interrupted(_) => stopped_amid(begun),
                    error => error,
                })?;
            }
            // Whoever has lost the lease meanwhile is asked to stop, and says nothing any more of what others do.
            if interrupt.is_stopped() {
                return Err(stopped_amid(begun));
            }
            self.note_revision(etcd, begun).await?;
            // What a machine had placed when it was cut off is there still.
            restore.forget_snapshot(&context, &restoration).await;
            intent::clear(self.store(), self.spec().name(), &version).await?;
            if begun.founders.is_empty() {
                return Err(OperationError::NoFounder(etcd.cluster.to_owned()));
            }
            // It is done, whatever is known of this.
            let aside = restore.set_aside(&context, &restoration).await;
            let aside_problem = aside.as_ref().err().map(ToString::to_string);
            let waiting = self.etcds_without_data(&context.cluster).await;
            Ok(RestoredEtcd {
                etcd_cluster: etcd.cluster.to_owned(),
                source: snapshot.source.clone(),
                members: restoration.founders,
                aside: aside.unwrap_or_default(),
                aside_problem,
                waiting: waiting.unwrap_or_default(),
            })
        });
        self.drive(work).await
    }

    /// Brings the snapshot to the machines and writes down that the restore has begun, once nothing that can be seen stands in
    /// its way. Where it is not written down the machines forget what they were brought, and where it takes the place of another one
    /// what they were brought for that.
    ///
    /// A snapshot that some machines were brought while others cannot be reached stays there: the next try need not send it anew.
    async fn begin(
        &self,
        restore: &dyn EtcdRestore,
        context: &StepContext<'_>,
        restoration: &Restoration,
        beginning: &Beginning,
        interrupt: &Interrupt,
    ) -> Result<ObjectVersion, OperationError> {
        let progress = &context.progress;
        // Scripts of a run that was killed may go on for a while. That a machine does not answer is told at once.
        let may_pass = |class: ErrorClass| class.may_pass() && class != ErrorClass::Unreachable;
        self.patiently(progress, interrupt, may_pass, || {
            restore.check(context, restoration)
        })
        .await?;
        progress.tell("bring the snapshot to the machines");
        let brought = self.patiently(progress, interrupt, ErrorClass::may_pass, || {
            restore.bring_snapshot(context, restoration)
        });
        let brought = brought.await;
        let written = if interrupt.is_stopped() && !beginning.is_written() {
            Err(OperationError::Interrupted(None))
        } else {
            brought?;
            beginning.write(self).await.map_err(OperationError::from)
        };
        if written.is_err() {
            restore.forget_snapshot(context, restoration).await;
        } else if let Some(replaced) = &beginning.replaced {
            let unneeded = brought_for(replaced, restoration);
            restore.forget_snapshot(context, &unneeded).await;
        }
        written
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

    /// Tries a step again that fails in a way that `may_pass`, until it is asked to stop.
    async fn patiently<'a>(
        &self,
        progress: &Progress<'_>,
        interrupt: &Interrupt,
        may_pass: impl Fn(ErrorClass) -> bool,
        step: impl Fn() -> BoxFuture<'a, Result<(), ProviderError>>,
    ) -> Result<(), OperationError> {
        let mut attempts = 1;
        loop {
            match step().await {
                Ok(()) => return Ok(()),
                Err(error) if may_pass(error.class) && attempts < ATTEMPTS_LIMIT => {
                    progress.tell(&format!("try again: {error}"));
                    tokio::select! {
                        () = self.clock().sleep(PAUSE * attempts) => {}
                        () = interrupt.stopped() => return Err(OperationError::Interrupted(None)),
                    }
                    attempts += 1;
                }
                Err(error) => return Err(of_machine(error)),
            }
        }
    }
}

fn stopped_amid(begun: &RestoreIntent) -> OperationError {
    stopped(&begun.etcd_cluster, &begun.source)
}

/// What machines were brought for a restore that `restoration` has taken the place of, and that does not need it.
fn brought_for(replaced: &RestoreIntent, restoration: &Restoration) -> Restoration {
    let is_same = replaced.sha256 == restoration.sha256;
    let founders = replaced.founders.iter();
    let without = founders.filter(|machine| !is_same || !restoration.founders.contains(machine));
    Restoration {
        id: replaced.id.clone(),
        founders: without.cloned().collect(),
        sha256: replaced.sha256.clone(),
        ..restoration.clone()
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
