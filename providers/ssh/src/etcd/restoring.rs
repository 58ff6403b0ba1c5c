//! Giving members the data of a snapshot (<https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-a-cluster>).
//!
//! A member that was given it bears the restore's id in its mark. That is how whoever goes on with a restore that was cut
//! off tells it from a member of before, whose data is moved aside.

mod aside;
mod bringing;
mod placing;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::{EtcdMember, MemberPhase, MemberStart};
use keelson_provider_api::{EtcdRestore, ProviderError, Restoration, SetAside, StepContext};

use super::found::found;
use super::mark::MarkSeen;
use super::provider::EtcdProvider;
use super::step::{Deed, Step, data_of_nobody, permanent, transient, unreachable_machine};
use super::survey::{Survey, survey};
use crate::fence;
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
        former_members(&survey, restoration)?;
        check_founders(&self.reach.machines(), restoration)?;
        let checks = restoration
            .founders
            .iter()
            .map(|machine| placing::check(&step, restoration, machine));
        let errors = join_all(checks).await.into_iter().filter_map(Result::err);
        all_of(errors.collect())
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
        let script = include_str!("../scripts/control-plane-hold.sh");
        self.on_each(context, "stop the control plane", script).await
    }

    async fn release_control_planes(&self, context: &StepContext<'_>) -> Result<(), ProviderError> {
        let script = include_str!("../scripts/control-plane-release.sh");
        self.on_each(context, "let the control plane run", script).await
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
        try_join_all(ends).await?;
        Ok(())
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
                    Placed::NotBrought => Err(transient(format!(
                        "the snapshot that was brought to {machine} is not there any more"
                    ))),
                }
            }
        });
        try_join_all(places).await?;
        Ok(())
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
        try_join_all(runs).await?;
        Ok(())
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

/// True for a machine whose member was given the data by this restore before.
fn has_its_data(survey: &Survey, restoration: &Restoration, machine: &str) -> bool {
    let restored = survey.mark(machine).and_then(|mark| mark.restored.as_ref());
    restored == Some(&restoration.id) && survey.seen(machine).is_some_and(|seen| seen.has_data)
}

/// What stands in the way on any machine, as one error: of the worst class, with the help for the first.
fn all_of(errors: Vec<ProviderError>) -> Result<(), ProviderError> {
    let messages: Vec<String> = errors.iter().map(|error| error.message.clone()).collect();
    let stays = errors.iter().position(|error| !error.class.may_pass());
    let worst = errors.into_iter().nth(stays.unwrap_or(0));
    worst.map_or(Ok(()), |worst| {
        Err(ProviderError {
            message: messages.join("; "),
            ..worst
        })
    })
}

/// The machines with members that were not given the data by this restore.
fn former_members<'a>(
    survey: &'a Survey,
    restoration: &Restoration,
) -> Result<Vec<&'a String>, ProviderError> {
    let mut former = Vec::new();
    for (machine, seen) in &survey.machines {
        // Whoever is not seen may have a member.
        let seen = seen.as_ref().map_err(|why| {
            unreachable_machine(format!("{machine} does not answer, and may have its data: {why}")).with_help(format!(
                "bring {machine} back; where it is gone for good, take it out of the spec, `keelson node forget {machine}`, and \
                 where a restore has begun before, `keelson etcd restore --begin-anew`"
            ))
        })?;
        match &seen.mark {
            MarkSeen::Other(owner) => {
                let cluster = restoration.etcd.cluster;
                return Err(
                    permanent(format!("{machine} has a member of etcd {cluster} of {owner}")).with_help(
                        "remove it with the cluster that it belongs to, or choose another machine",
                    ),
                );
            }
            MarkSeen::None if seen.has_data => return Err(data_of_nobody(restoration.etcd, machine)),
            MarkSeen::Ours(mark) if mark.restored.as_ref() != Some(&restoration.id) => {
                former.push(machine);
            }
            MarkSeen::None | MarkSeen::Ours(_) => {}
        }
    }
    Ok(former)
}

/// Makes sure that those who are to be given the data are the cluster's still.
fn check_founders(machines: &[String], restoration: &Restoration) -> Result<(), ProviderError> {
    let lost = restoration
        .founders
        .iter()
        .find(|founder| !machines.contains(founder));
    match lost {
        None => Ok(()),
        Some(lost) => Err(permanent(format!(
            "{lost} is to be given the data since the restore began, and is not among the cluster's machines any more"
        ))
        .with_help(format!(
            "`keelson etcd restore --begin-anew` begins anew without it; where {lost} is there after all, take it into the spec \
             again"
        ))),
    }
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
mod tests {
    use keelson_provider_api::ErrorClass;

    use super::*;

    #[test]
    fn a_founder_that_was_forgotten_is_not_waited_for() {
        let restoration = Restoration {
            id: "one".to_owned(),
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            etcd: &MAIN,
            founders: ["a", "b"].map(str::to_owned).to_vec(),
            file: "/nowhere".into(),
            sha256: String::new(),
            size_bytes: 0,
            noted: None,
            bump_revision: 0,
            serves_kubernetes: false,
        };
        let machines =
            |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
        check_founders(&machines(&["a", "b", "c"]), &restoration).unwrap();
        let error = check_founders(&machines(&["a", "c"]), &restoration).unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(error.message.starts_with("b is to be given the data"), "{error}");
        assert!(error.help.unwrap().contains("etcd restore --begin-anew"));
    }

    #[test]
    fn all_machines_that_stand_in_the_way_are_named_and_what_stays_counts() {
        let (passes, stays) = (
            transient("a does not answer").with_help("wait"),
            permanent("b has no room").with_help("make room"),
        );
        let rows = [
            (vec![], None),
            (
                vec![passes.clone()],
                Some((ErrorClass::Transient, "a does not answer", "wait")),
            ),
            (
                vec![passes, stays],
                Some((
                    ErrorClass::Permanent,
                    "a does not answer; b has no room",
                    "make room",
                )),
            ),
        ];
        for (errors, expected) in rows {
            let all = all_of(errors).err();
            let all = all
                .as_ref()
                .map(|all| (all.class, all.message.as_str(), all.help.as_deref().unwrap_or("")));
            assert_eq!(all, expected);
        }
    }
}
