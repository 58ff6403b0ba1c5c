//! Giving space back and taking alarms back, member by member.

use keelson_provider_api::kinds::MemberPhase;
use keelson_provider_api::{
    ClusterIdentity, Defragmented, EtcdInstance, Progress, ProviderError, StepContext,
};
use serde::Serialize;

use super::report::{EtcdClusterReport, EtcdMemberReport};
use crate::execute::{Interrupt, Reporter, Silent};
use crate::ops::backups::intent;
use crate::ops::{OperationError, Session};
use crate::plan::EtcdHealth;

/// Which members are to be defragmented.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefragmentRequest {
    /// The etcd, `main` or `events`; nothing for each that the cluster has.
    pub etcd: Option<String>,
    /// The machine; nothing for all of them.
    pub machine: Option<String>,
}

/// A member that was defragmented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DefragmentedMember {
    /// The etcd.
    pub etcd_cluster: String,
    /// The member's machine.
    pub machine: String,
    /// What came of it.
    #[serde(flatten)]
    pub sizes: Defragmented,
}

/// An etcd whose alarms were taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DisarmedEtcd {
    /// The etcd.
    pub etcd_cluster: String,
    /// The alarms that are gone, each with its machine.
    pub alarms: Vec<String>,
}

impl Session {
    /// Defragments members one after the other, those that lead last: whoever is defragmented answers nobody meanwhile. Each
    /// begins only while the others have a quorum without it; the only member of an etcd is defragmented all the same.
    ///
    /// # Errors
    /// [`OperationError::UnknownEtcd`], [`OperationError::UnknownMachine`], [`OperationError::NoQuorumWithout`] before a member
    /// that the rest cannot do without, [`OperationError::Machine`], and those of leases. Those that were defragmented by then
    /// stay so.
    pub async fn defragment_etcd(
        &self,
        request: &DefragmentRequest,
        progress: &Progress<'_>,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Vec<DefragmentedMember>, OperationError> {
        let instances = self.etcd_instances(request.etcd.as_deref())?;
        self.check_etcd_machine(request.machine.as_deref()).await?;
        let work = self.under_lease("etcd defrag", reporter, interrupt, async |lease, _| {
            intent::check_none(self.store(), self.spec().name()).await?;
            let identity = self.existing_identity().await?;
            let context = step_context(identity, lease.generation(), progress);
            let mut done = Vec::new();
            for etcd in instances {
                for machine in self.defragment_order(etcd, request.machine.as_deref()).await? {
                    if interrupt.is_stopped() {
                        return Err(stopped(&done));
                    }
                    done.push(self.defragment_member(&context, etcd, &machine).await?);
                }
            }
            Ok(done)
        });
        self.drive(work).await
    }

    async fn defragment_member(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
        machine: &str,
    ) -> Result<DefragmentedMember, OperationError> {
        // As it is now, not as it was before the member before.
        let report = self.etcd_cluster_report(etcd).await?;
        check_spare(&report, etcd, machine)?;
        context
            .progress
            .tell(&format!("defragment etcd {} on {machine}", etcd.cluster));
        let defragmented = self
            .backup_parts()?
            .maintenance
            .defragment(context, etcd, machine)
            .await;
        Ok(DefragmentedMember {
            etcd_cluster: etcd.cluster.to_owned(),
            machine: machine.to_owned(),
            sizes: defragmented.map_err(of_machine)?,
        })
    }

    /// The machines whose members are defragmented, in their order.
    async fn defragment_order(
        &self,
        etcd: &'static EtcdInstance,
        only: Option<&str>,
    ) -> Result<Vec<String>, OperationError> {
        let report = self.etcd_cluster_report(etcd).await?;
        let mut members: Vec<&EtcdMemberReport> = report.members.iter().collect();
        members.retain(|member| only.is_none_or(|only| member.machine == only));
        members.sort_by_key(|member| member.is_leader);
        Ok(members.into_iter().map(|member| member.machine.clone()).collect())
    }

    /// Takes back the alarms of members whose databases had reached their quota, so that etcd takes writes again.
    ///
    /// # Errors
    /// [`OperationError::UnknownEtcd`], [`OperationError::Machine`], and those of leases.
    pub async fn disarm_etcd_alarms(
        &self,
        etcd: Option<&str>,
        progress: &Progress<'_>,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Vec<DisarmedEtcd>, OperationError> {
        let instances = self.etcd_instances(etcd)?;
        let work = self.under_lease("etcd disarm", reporter, interrupt, async |lease, _| {
            intent::check_none(self.store(), self.spec().name()).await?;
            let identity = self.existing_identity().await?;
            let context = step_context(identity, lease.generation(), progress);
            let maintenance = &self.backup_parts()?.maintenance;
            let mut disarmed = Vec::new();
            for etcd in instances {
                let alarms = maintenance
                    .disarm_alarms(&context, etcd)
                    .await
                    .map_err(of_machine)?;
                disarmed.push(DisarmedEtcd {
                    etcd_cluster: etcd.cluster.to_owned(),
                    alarms,
                });
            }
            Ok(disarmed)
        });
        self.drive(work).await
    }

    /// The etcds of the cluster that are meant by `asked`: that one, or all of them.
    ///
    /// # Errors
    /// [`OperationError::UnknownEtcd`], and [`OperationError::ExternalEtcd`] where the cluster's etcd is somebody else's.
    pub fn etcd_instances(&self, asked: Option<&str>) -> Result<Vec<&'static EtcdInstance>, OperationError> {
        if let Some(asked) = asked {
            return Ok(vec![self.etcd_instance(asked)?]);
        }
        self.backup_parts()?;
        Ok(self.spec().etcd.instances().to_vec())
    }

    /// The etcd of the cluster that is called `name`.
    ///
    /// # Errors
    /// [`OperationError::UnknownEtcd`], and [`OperationError::ExternalEtcd`] where the cluster's etcd is somebody else's.
    pub(in crate::ops) fn etcd_instance(&self, name: &str) -> Result<&'static EtcdInstance, OperationError> {
        self.backup_parts()?;
        let instances = self.spec().etcd.instances();
        let named = instances.iter().find(|instance| instance.cluster == name);
        named.copied().ok_or_else(|| OperationError::UnknownEtcd {
            name: name.to_owned(),
            known: instances
                .iter()
                .map(|instance| instance.cluster.to_owned())
                .collect(),
        })
    }

    async fn check_etcd_machine(&self, asked: Option<&str>) -> Result<(), OperationError> {
        let Some(asked) = asked else { return Ok(()) };
        let report = self.etcd_report(&Silent).await?;
        let members = report.clusters.values().flat_map(|cluster| &cluster.members);
        let mut known: Vec<String> = members.map(|member| member.machine.clone()).collect();
        known.sort();
        known.dedup();
        if known.iter().any(|known| known == asked) {
            return Ok(());
        }
        Err(OperationError::UnknownMachine {
            name: asked.to_owned(),
            known,
        })
    }

    async fn etcd_cluster_report(&self, etcd: &EtcdInstance) -> Result<EtcdClusterReport, OperationError> {
        let mut report = self.look_at_etcd(&Silent).await?;
        Ok(report.clusters.remove(etcd.cluster).unwrap_or_default())
    }
}

/// Refuses to have `machine` silent while the others would have no quorum.
fn check_spare(report: &EtcdClusterReport, etcd: &EtcdInstance, machine: &str) -> Result<(), OperationError> {
    let counts = |member: &&EtcdMemberReport| {
        member.machine == machine && member.serves && member.phase == Some(MemberPhase::Voter)
    };
    let serves = report.members.iter().any(|member| counts(&member));
    let without = EtcdHealth {
        voters: report.voters,
        healthy_voters: report.healthy_voters.saturating_sub(usize::from(serves)),
        ..EtcdHealth::default()
    };
    if report.voters == 1 || without.has_quorum() {
        return Ok(());
    }
    Err(OperationError::NoQuorumWithout {
        etcd: etcd.cluster.to_owned(),
        machine: machine.to_owned(),
        healthy: report.healthy_voters,
        voters: report.voters,
    })
}

fn stopped(done: &[DefragmentedMember]) -> OperationError {
    let machines: Vec<&str> = done.iter().map(|member| member.machine.as_str()).collect();
    OperationError::StoppedAmid(match machines.as_slice() {
        [] => "no member was defragmented".to_owned(),
        machines => format!("defragmented are those on {}", machines.join(", ")),
    })
}

/// In whose name members are asked, under a lease of `generation`.
pub(in crate::ops) fn step_context<'a>(
    identity: ClusterIdentity,
    generation: u64,
    progress: &Progress<'a>,
) -> StepContext<'a> {
    StepContext {
        cluster: identity,
        fencing_generation: generation,
        attempt: 0,
        progress: progress.clone(),
    }
}

pub(in crate::ops) fn of_machine(error: ProviderError) -> OperationError {
    OperationError::Machine(Box::new(error))
}
