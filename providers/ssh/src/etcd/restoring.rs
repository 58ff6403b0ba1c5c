//! Giving members the data of a snapshot (<https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-a-cluster>).
//!
//! A member that was given it bears the restore's id in its mark. That is how whoever goes on with a restore that was cut
//! off tells it from a member of before, whose data is moved aside.

mod aside;
mod bringing;
mod obstacles;
mod placing;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::{EtcdMember, MemberPhase, MemberStart};
use keelson_provider_api::{
    ClusterIdentity, EtcdInstance, EtcdRestore, ProviderError, Restoration, SetAside, StepContext,
};

use super::found::found;
use super::meaning::snapshot_not_there;
use super::provider::EtcdProvider;
use super::step::{Deed, Step, permanent};
use super::survey::{Survey, survey};
use crate::fence;
use obstacles::{all_of, former_members};
use placing::Placed;

/// As long as stopping a control plane may take: its pods' own grace period, and some more.
const HOLDING: Duration = Duration::from_secs(120);
/// What the leases of API servers begin with (`pkg/controlplane/reconcilers/lease.go` of Kubernetes).
const API_LEASES: &str = "/registry/masterleases/";

#[async_trait]
impl EtcdRestore for EtcdProvider {
    async fn check(&self, context: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError> {
        let step = self.step(context, restoration.etcd)?;
        let survey = self.seen(&step).await?;
        obstacles::check(&step, &survey, restoration).await
    }

    async fn bring_snapshot(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let step = self.step(context, restoration.etcd)?;
        let survey = self.seen(&step).await?;
        let founders = restoration.founders.iter();
        let without: Vec<&String> = founders
            .filter(|machine| !has_its_data(&survey, restoration, machine))
            .collect();
        bringing::bring(&step, restoration, &without).await
    }

    async fn forget_snapshot(&self, context: &StepContext<'_>, restoration: &Restoration) {
        let Ok(step) = self.step(context, restoration.etcd) else {
            return;
        };
        let founders = restoration.founders.iter();
        join_all(founders.map(|machine| bringing::forget(&step, restoration, machine))).await;
    }

    async fn hold_control_planes(&self, context: &StepContext<'_>) -> Result<(), ProviderError> {
        let script = concat!(
            include_str!("../scripts/held.sh"),
            include_str!("../scripts/control-plane-hold.sh")
        );
        self.on_each(context, "stop the control plane", script).await
    }

    async fn release_control_planes(&self, context: &StepContext<'_>) -> Result<(), ProviderError> {
        let script = concat!(
            include_str!("../scripts/held.sh"),
            include_str!("../scripts/control-plane-release.sh")
        );
        self.on_each(context, "let the control plane run", script).await
    }

    async fn has_lost_its_data(&self, cluster: &ClusterIdentity, etcd: &'static EtcdInstance) -> bool {
        let (reach, uid) = (self.reach.as_ref(), cluster.uid.as_ref());
        let seen = survey(reach, uid, &[etcd], reach.machines(), Duration::ZERO).await;
        seen.first().is_some_and(Survey::has_lost_its_data)
    }

    async fn end_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let step = self.step(context, restoration.etcd)?;
        let survey = self.seen(&step).await?;
        let former = former_members(&survey, restoration)?;
        let ends = former
            .into_iter()
            .map(|machine| step.end(machine, Some(&restoration.id)));
        all_done(ends).await
    }

    async fn place_data(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let step = self.step(context, restoration.etcd)?;
        let survey = self.seen(&step).await?;
        let places = restoration.founders.iter().map(|machine| {
            let (step, survey) = (&step, &survey);
            async move {
                if has_its_data(survey, restoration, machine) {
                    return Ok(());
                }
                if placing::place(step, survey, restoration, machine).await? == Placed::Yes {
                    return Ok(());
                }
                bringing::bring_to(step, restoration, machine).await?;
                match placing::place(step, survey, restoration, machine).await? {
                    Placed::Yes => Ok(()),
                    Placed::NotBrought => Err(snapshot_not_there(machine)),
                }
            }
        });
        all_done(places).await
    }

    async fn start_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let step = self.step(context, restoration.etcd)?;
        let members: Vec<EtcdMember> = restoration
            .founders
            .iter()
            .map(|machine| member(restoration, machine))
            .collect();
        try_join_all(members.iter().map(|member| found(&step, member, 0))).await?;
        let Some(machine) = restoration.founders.first() else {
            return Ok(());
        };
        if restoration.serves_kubernetes {
            step.tell("take away the leases of API servers of before");
            step.ask(
                machine,
                "take leases of API servers away",
                &["del", "--prefix", API_LEASES],
            )
            .await
            .map_err(ProviderError::from)?;
        }
        Ok(())
    }

    async fn set_aside(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<Vec<SetAside>, ProviderError> {
        let step = self.step(context, restoration.etcd)?;
        let machines = self.reach.machines();
        let lists = machines.iter().map(|machine| aside::list(&step, machine));
        Ok(try_join_all(lists).await?.into_iter().flatten().collect())
    }
}

impl EtcdProvider {
    /// Runs `script` on every machine, whatever it has.
    async fn on_each(
        &self,
        context: &StepContext<'_>,
        name: &'static str,
        script: &'static str,
    ) -> Result<(), ProviderError> {
        let step = self.step(context, &MAIN)?;
        let machines = self.reach.machines();
        let runs = machines.iter().map(|machine| {
            let step = &step;
            async move {
                let deed = Deed {
                    name,
                    script,
                    arguments: Vec::new(),
                    machine,
                    timeout: HOLDING,
                };
                let output = step.run(deed).await?;
                match output.status {
                    0 => Ok(()),
                    _ => Err(fence::failure(machine, name, &output)),
                }
            }
        });
        all_done(runs).await
    }

    /// What every machine shows, also while some members are of before and some of the restore.
    async fn seen(&self, step: &Step<'_>) -> Result<Survey, ProviderError> {
        let reach = self.reach.as_ref();
        let surveys = survey(
            reach,
            Some(&step.uid),
            &[step.instance],
            reach.machines(),
            Duration::ZERO,
        )
        .await;
        surveys
            .into_iter()
            .next()
            .ok_or_else(|| permanent("no machine was looked at"))
    }
}

/// Waits for all of them, also where some fail: what runs on a machine goes on there, whoever listens, and the next try would come
/// into its way.
async fn all_done(
    works: impl IntoIterator<Item = impl Future<Output = Result<(), ProviderError>>>,
) -> Result<(), ProviderError> {
    let done = join_all(works).await;
    all_of(done.into_iter().filter_map(Result::err).collect())
}

/// True for a machine whose member was given the data by this restore before. A member that has lost it to a power cut may have
/// made its folders anew: it has no log.
fn has_its_data(survey: &Survey, restoration: &Restoration, machine: &str) -> bool {
    let restored = survey.mark(machine).and_then(|mark| mark.restored.as_ref());
    restored == Some(&restoration.id) && survey.seen(machine).is_some_and(|seen| seen.has_log)
}

fn member(restoration: &Restoration, machine: &str) -> EtcdMember {
    EtcdMember {
        cluster: restoration.etcd.cluster.to_owned(),
        machine: machine.to_owned(),
        phase: MemberPhase::Voter,
        start: MemberStart::Initial,
        initial_members: restoration.founders.clone(),
        running: true,
    }
}

#[cfg(test)]
pub(in crate::etcd) mod tests {
    use super::*;
    use crate::etcd::look::Seen;
    use crate::etcd::mark::tests::mark;
    use crate::etcd::mark::{Mark, MarkSeen};

    /// A restore of a file of which nothing was written down, into nobody.
    pub(in crate::etcd) fn restoration() -> Restoration {
        Restoration {
            id: "one".to_owned(),
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            etcd: &MAIN,
            founders: Vec::new(),
            file: "/nowhere".into(),
            sha256: String::new(),
            size_bytes: 36,
            noted: None,
            bump_revision: 1,
            serves_kubernetes: false,
        }
    }

    #[test]
    fn a_member_has_its_data_where_it_has_a_log_to_go_on_from() {
        let of = |restored: Option<&str>, data: [bool; 2]| {
            let mark = Mark {
                restored: restored.map(str::to_owned),
                ..mark("a")
            };
            let seen = Seen {
                mark: MarkSeen::Ours(Box::new(mark)),
                has_data: data[0],
                has_log: data[1],
                ..Seen::nothing()
            };
            let machines = [("a".to_owned(), Ok(seen))].into();
            let survey = Survey::of(&MAIN, machines, [].into());
            has_its_data(&survey, &restoration(), "a")
        };
        assert!(of(Some("one"), [true, true]));
        // What etcd makes that finds nothing there.
        assert!(!of(Some("one"), [true, false]));
        assert!(!of(Some("one"), [false, false]));
        assert!(!of(Some("other"), [true, true]));
        assert!(!of(None, [true, true]));
    }
}
