//! Restoring snapshots for trial.
//!
//! A snapshot comes to a machine in parts, into a folder as those have that are on their way from one
//! (`maintenance/transfer.rs`): what a keelson leaves that was killed goes with them. No lease is needed: nothing of the cluster
//! is changed.

mod here;
mod upload;

use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::{
    ClusterIdentity, ClusterUid, DrillSnapshot, Drilled, EtcdDrill, Progress, ProviderError,
};
use serde::Deserialize;

use super::mark::fragment;
use super::meaning::{no_programs, no_room, snapshot_not_there};
use super::provider::EtcdProvider;
use super::room::of_restored_kib;
use super::step::{permanent, transient};
use super::survey::{Survey, survey_one};
use super::told::{contents, told};
use super::writing::writers;
use crate::exit_status;
use crate::fence;
use crate::shell::{Job, Output};

pub use here::DrillHere;

const DRILL: &str = concat!(
    include_str!("../../scripts/etcd-transfer.sh"),
    include_str!("../../scripts/room.sh"),
    include_str!("../../scripts/sha256.sh"),
    include_str!("../../scripts/etcd-live-keys.sh"),
    include_str!("../../scripts/drill.sh"),
    include_str!("../../scripts/etcd-drill.sh")
);
/// As long as a drill with the largest database may take.
const LIMIT: Duration = Duration::from_secs(1800);
/// Where else a drill can be done.
const ELSEWHERE: &str =
    "choose another machine with --machine, or name programs of this machine with --programs";
const NAME: &str = "restore a snapshot for trial";

#[async_trait]
impl EtcdDrill for EtcdProvider {
    async fn drill(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &DrillSnapshot<'_>,
        machine: Option<&str>,
        progress: &Progress<'_>,
    ) -> Result<Drilled, ProviderError> {
        let uid = cluster.uid.as_ref().ok_or_else(|| {
            permanent(format!(
                "cluster {} has no uid yet, so no machine is its own",
                cluster.name
            ))
        })?;
        let machine = match machine {
            Some(machine) => machine.to_owned(),
            None => self.spare(uid, snapshot).await?,
        };
        let shell = self
            .reach
            .shell(&machine)
            .ok_or_else(|| permanent(format!("{machine} is not among the cluster's machines")))?;
        progress.tell(&format!(
            "carry the snapshot to {machine} ({} MiB)",
            snapshot.size_bytes.div_ceil(1 << 20)
        ));
        let beside_kib = of_restored_kib(snapshot.size_bytes);
        let need_kib = beside_kib.saturating_add(snapshot.size_bytes.div_ceil(1024));
        let name = upload::carry(&*shell, uid, snapshot, need_kib).await?;
        progress.tell(&format!("restore it on {machine}, and ask what it has"));
        let job = Job {
            name: NAME,
            script: DRILL,
            arguments: vec![
                fragment(uid),
                uid.to_string(),
                name,
                snapshot.sha256.to_owned(),
                beside_kib.to_string(),
            ],
            input: Vec::new(),
            timeout: LIMIT,
        };
        let output = shell.run(&job, &|_| ()).await?;
        judge(&machine, &output)
    }
}

impl EtcdProvider {
    /// The machine that can spare it best: whose member follows, or where none of them votes, any that answers.
    async fn spare(&self, uid: &ClusterUid, snapshot: &DrillSnapshot<'_>) -> Result<String, ProviderError> {
        let reach = self.reach.as_ref();
        let survey = survey_one(reach, uid, snapshot.etcd, reach.machines(), Duration::ZERO).await?;
        choose(&survey).ok_or_else(|| {
            transient("no machine answers that has etcd").with_help("see how they are: keelson status")
        })
    }
}

fn choose(survey: &Survey) -> Option<String> {
    let writers = writers(survey).unwrap_or_default().into_iter().next();
    writers.or_else(|| {
        let seen = survey.machines.iter();
        let mut marked = seen.filter(|(machine, seen)| seen.is_ok() && survey.mark(machine).is_some());
        marked.next().map(|(machine, _)| machine.clone())
    })
}

/// What a member says of itself: `etcdctl endpoint status`.
#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Status")]
    status: EndpointStatus,
}

#[derive(Deserialize)]
struct EndpointStatus {
    header: Header,
    version: String,
}

#[derive(Deserialize)]
struct Header {
    revision: u64,
}

/// What it means that a script of a drill has ended on `machine` with another status than 0.
fn trouble(machine: &str, name: &str, output: &Output) -> ProviderError {
    let said = output.stderr.trim();
    let said = said
        .lines()
        .rev()
        .find(|line| !line.starts_with('{'))
        .unwrap_or(said);
    match output.status {
        exit_status::NO_PROGRAMS => no_programs(machine, ELSEWHERE),
        exit_status::NO_ROOM => no_room(machine, "a drill", said)
            .with_help(format!("make room below /var/lib/keelson/snapshots, {ELSEWHERE}")),
        exit_status::NOT_THERE => snapshot_not_there(machine),
        exit_status::DAMAGED => transient(format!("{machine}: the snapshot was damaged on the way: {said}")),
        exit_status::REFUSED => permanent(format!("etcd on {machine} does not take the snapshot: {said}")),
        exit_status::NOT_OURS | exit_status::DOES_NOT_SERVE | exit_status::UNFIT_FOLDER => {
            permanent(format!("{machine}: {said}"))
        }
        _ => fence::failure(machine, name, output),
    }
}

/// Reads what a drill on `machine` has told.
fn judge(machine: &str, output: &Output) -> Result<Drilled, ProviderError> {
    if output.status != 0 {
        return Err(trouble(machine, NAME, output));
    }
    let drilled = || {
        let endpoints: Vec<Endpoint> = serde_json::from_str(told(&output.stdout, "member")?).ok()?;
        let status = endpoints.into_iter().next()?.status;
        let mut contents = contents(&output.stdout)?;
        Some(Drilled {
            machine: machine.to_owned(),
            etcd_version: status.version,
            live: contents.live.take()?,
            contents,
            revision: status.header.revision,
        })
    };
    drilled().ok_or_else(|| {
        permanent(format!(
            "what the member on {machine} told cannot be read: {}",
            output.stdout.trim()
        ))
    })
}

#[cfg(test)]
mod tests;
