//! Giving members the data of a snapshot (<https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-a-cluster>).
//!
//! A member that was given it bears the restore's id in its mark. That is how whoever goes on with a restore that was cut
//! off tells it from a member of before, whose data is moved aside.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::{EtcdMember, MemberPhase, MemberStart};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ErrorClass, EtcdRestore, Outcome, ProviderError, Restoration, StepContext};

use super::begin::{founders_urls, token_of};
use super::found::found;
use super::mark::{Mark, MarkSeen};
use super::provider::EtcdProvider;
use super::step::{Deed, Step, data_of_nobody, permanent, unreachable_machine};
use super::survey::{Survey, survey};
use crate::bundle::upload::Upload;
use crate::fence;

/// As long as stopping an API server may take: its own grace period, and some more.
const HOLDING: Duration = Duration::from_secs(120);
/// As long as etcdutl may take to write the data of the largest database.
const PLACING: Duration = Duration::from_secs(1800);
/// So often an upload begins anew that was torn on the way.
const UPLOADS_LIMIT: u32 = 3;
/// What the leases of API servers begin with (`pkg/controlplane/reconcilers/lease.go` of Kubernetes).
const API_LEASES: &str = "/registry/masterleases/";

#[async_trait]
impl EtcdRestore for EtcdProvider {
    async fn hold_api_servers(&self, context: &StepContext<'_>) -> Result<(), ProviderError> {
        let script = include_str!("../scripts/api-server-hold.sh");
        self.on_each(context, "stop the API server", script).await
    }

    async fn release_api_servers(&self, context: &StepContext<'_>) -> Result<(), ProviderError> {
        let script = include_str!("../scripts/api-server-release.sh");
        self.on_each(context, "let the API server run", script).await
    }

    async fn end_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let step = Step::new(
            self.reach.as_ref(),
            self.clock.as_ref(),
            context,
            restoration.etcd,
        )?;
        let survey = self.seen(&step).await?;
        let mut former = Vec::new();
        for (machine, seen) in &survey.machines {
            // Whoever is not seen may have a member.
            let seen = seen.as_ref().map_err(|why| {
                unreachable_machine(format!("{machine} does not answer, and may have its data: {why}")).with_help(format!(
                    "bring {machine} back; where it is gone for good, take it out of the spec and `keelson node forget {machine}`"
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
                    former.push(machine)
                }
                MarkSeen::None | MarkSeen::Ours(_) => {}
            }
        }
        try_join_all(former.into_iter().map(|machine| step.end(machine))).await?;
        Ok(())
    }

    async fn place_data(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        let step = Step::new(
            self.reach.as_ref(),
            self.clock.as_ref(),
            context,
            restoration.etcd,
        )?;
        let survey = self.seen(&step).await?;
        let places = restoration.founders.iter().map(|machine| {
            let (step, survey) = (&step, &survey);
            async move {
                let has_it =
                    survey.mark(machine).and_then(|mark| mark.restored.as_ref()) == Some(&restoration.id);
                if has_it && survey.seen(machine).is_some_and(|seen| seen.has_data) {
                    return Ok(());
                }
                upload(step, restoration, machine).await?;
                place(step, survey, restoration, machine).await
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
        let step = Step::new(
            self.reach.as_ref(),
            self.clock.as_ref(),
            context,
            restoration.etcd,
        )?;
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
}

impl EtcdProvider {
    /// Runs `script` on every machine, whatever it has.
    async fn on_each(
        &self,
        context: &StepContext<'_>,
        name: &'static str,
        script: &'static str,
    ) -> Result<(), ProviderError> {
        let step = Step::new(self.reach.as_ref(), self.clock.as_ref(), context, &MAIN)?;
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

/// Carries the snapshot to `machine`. A part of it that was torn is sent anew.
async fn upload(step: &Step<'_>, restoration: &Restoration, machine: &str) -> Result<(), ProviderError> {
    let Some(shell) = step.reach.shell(machine) else {
        return Err(permanent(format!(
            "{machine} is not among the cluster's machines"
        )));
    };
    let sha256: Digest = format!("sha256:{}", restoration.sha256)
        .parse()
        .map_err(|problem| permanent(format!("the snapshot's digest cannot be read: {problem}")))?;
    let upload = Upload {
        name: "snapshot",
        sha256,
        path: &restoration.file,
        there: 0,
    };
    let mut uploads = 1;
    loop {
        match upload.carry(&*shell, step.context).await {
            Ok(()) => return Ok(()),
            Err(Outcome::Rejected(error) | Outcome::Indeterminate(error))
                if error.class == ErrorClass::Transient && uploads < UPLOADS_LIMIT =>
            {
                uploads += 1;
            }
            Err(Outcome::Rejected(error) | Outcome::Indeterminate(error)) => return Err(error),
            Err(Outcome::Done) => return Ok(()),
        }
    }
}

/// Has etcdutl make the member's data of the snapshot that lies on `machine`.
async fn place(
    step: &Step<'_>,
    survey: &Survey,
    restoration: &Restoration,
    machine: &str,
) -> Result<(), ProviderError> {
    let mark = Mark {
        cluster_uid: step.uid.clone(),
        cluster_name: step.context.cluster.name.to_string(),
        etcd_cluster: restoration.etcd.cluster.to_owned(),
        machine: machine.to_owned(),
        start: MemberStart::Initial,
        initial_members: restoration.founders.clone(),
        generation: 0,
        created_at: restoration.begun_at,
        host_id: step.reach.host_id(machine),
        member_id: None,
        voted: false,
        restored: Some(restoration.id.clone()),
    };
    step.tell(&format!(
        "make the data of etcd {} on {machine}",
        restoration.etcd.cluster
    ));
    // The database anew, and a log beside it.
    let need_kib = restoration.size_bytes / 1024 + restoration.size_bytes / 4096 + 256 * 1024;
    let script = concat!(
        include_str!("../scripts/write.sh"),
        include_str!("../scripts/etcd-restore.sh")
    );
    let deed = Deed {
        name: "restore the member's data",
        script,
        arguments: vec![
            step.ours(),
            restoration.etcd.cluster.to_owned(),
            restoration.etcd.unit.to_owned(),
            restoration.etcd.data_folder.to_owned(),
            machine.to_owned(),
            founders_urls(survey, &restoration.founders)?,
            token_of(step, Some(&restoration.id)),
            mark.as_json(),
            restoration.sha256.clone(),
            restoration.bump_revision.to_string(),
            need_kib.to_string(),
        ],
        machine,
        timeout: PLACING,
    };
    let output = step.run(deed).await?;
    match output.status {
        0 => Ok(()),
        20 => Err(
            permanent(format!("{machine} carries the mark of another cluster's etcd")).with_help(format!(
                "see /var/lib/keelson/etcd-{}.json on {machine}",
                restoration.etcd.cluster
            )),
        ),
        21 => Err(data_of_nobody(restoration.etcd, machine)),
        22 => Err(
            permanent(format!("a member of before has come to {machine} meanwhile"))
                .with_help("run the command again: it is ended then"),
        ),
        23 => Err(
            permanent(format!("{machine} has no etcd: its bundle has not come")).with_help(
                "`keelson apply` installs it; a cluster has to be there before data is restored into it",
            ),
        ),
        24 => Err(permanent(format!(
            "{machine} has no room for the data: {}",
            output.stderr.trim()
        ))
        .with_help(format!(
            "make room below {} on {machine}",
            restoration.etcd.data_folder
        ))),
        _ => Err(fence::failure(machine, "restore the member's data", &output)),
    }
}
