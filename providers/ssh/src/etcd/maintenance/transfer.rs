//! Snapshots on their way from the machine whose member wrote them to somewhere else.
//!
//! One lies on that machine at `/var/lib/keelson/snapshots/<name>.transfer/db`, under a name that the machine has chosen and
//! that is nobody else's, so that any number of them can be written at once. Nothing of the cluster is changed: no lease is
//! needed, and the scripts are not fenced. A machine or a snapshot of another cluster is refused. What a keelson leaves that
//! was killed goes with the next snapshot that is written there, when nobody has read it for 15 minutes
//! (`scripts/etcd-transfer-write.sh`), and with everything else when the machine is given back.

use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::{
    BoxFuture, ClusterIdentity, ClusterUid, EtcdInstance, Progress, ProviderError, WrittenSnapshot,
};
use tokio::sync::mpsc::Sender;

use crate::etcd::mark::fragment;
use crate::etcd::names::check_name;
use crate::etcd::reach::Reach;
use crate::etcd::step::{permanent, transient};
use crate::etcd::survey::{Survey, survey_one};
use crate::etcd::writing;
use crate::exit_status;
use crate::fence;
use crate::shell::{Job, Output, Shell};

const WRITE: &str = concat!(
    include_str!("../../scripts/etcd-transfer.sh"),
    include_str!("../../scripts/etcdctl.sh"),
    include_str!("../../scripts/etcd-live-keys.sh"),
    include_str!("../../scripts/room.sh"),
    include_str!("../../scripts/sha256.sh"),
    include_str!("../../scripts/etcd-snapshot.sh"),
    include_str!("../../scripts/etcd-transfer-write.sh")
);
const READ: &str = concat!(
    include_str!("../../scripts/etcd-transfer.sh"),
    include_str!("../../scripts/etcd-transfer-read.sh")
);
const END: &str = concat!(
    include_str!("../../scripts/etcd-transfer.sh"),
    include_str!("../../scripts/etcd-transfer-end.sh")
);

/// How long reading may take, whoever is slow: 8 GiB at 2.3 MiB a second. Whoever needs more reads on from where it ended.
const READ_LIMIT: Duration = Duration::from_secs(3600);
const END_LIMIT: Duration = Duration::from_secs(60);

/// Has a member write a snapshot; where one cannot, the next one.
pub(super) async fn write(
    reach: &dyn Reach,
    cluster: &ClusterIdentity,
    etcd: &'static EtcdInstance,
    progress: &Progress<'_>,
) -> Result<WrittenSnapshot, ProviderError> {
    let uid = uid_of(cluster)?;
    let survey = &survey_one(reach, uid, etcd, reach.machines(), Duration::ZERO).await?;
    let write = |machine: String| -> BoxFuture<'_, _> {
        Box::pin(async move {
            progress.tell(&format!("write a snapshot on {machine}"));
            write_on(reach, uid, survey, &machine).await
        })
    };
    let (machine, written) = writing::by_one_of(survey, write).await?;
    let file = written.name.ok_or_else(|| {
        transient(format!(
            "{machine} did not say what it called the snapshot that it wrote"
        ))
    })?;
    check_name(&file)?;
    let status = survey.seen(&machine).and_then(|seen| seen.status.as_ref());
    Ok(WrittenSnapshot {
        etcd_cluster: etcd.cluster.to_owned(),
        etcd_version: status.map(|status| status.version.clone()).unwrap_or_default(),
        machine,
        file,
        contents: written.contents,
        size_bytes: written.size,
        sha256: written.sha256,
    })
}

async fn write_on(
    reach: &dyn Reach,
    uid: &ClusterUid,
    survey: &Survey,
    machine: &str,
) -> Result<Output, ProviderError> {
    let etcd = survey.instance;
    let mut arguments = arguments(uid, etcd.cluster);
    arguments.push(etcd.client_port.to_string());
    arguments.push(writing::need_kib(survey, machine).to_string());
    let job = Job {
        name: "write a snapshot of etcd",
        script: WRITE,
        arguments,
        input: Vec::new(),
        timeout: writing::LIMIT,
    };
    Ok(shell_of(reach, machine)?.run(&job, &|_| ()).await?)
}

/// Sends the file of `snapshot` to `pieces`, from the byte `from` on.
pub(super) async fn read(
    reach: &dyn Reach,
    cluster: &ClusterIdentity,
    snapshot: &WrittenSnapshot,
    from: u64,
    pieces: Sender<Vec<u8>>,
) -> Result<(), ProviderError> {
    let mut arguments = arguments_of(cluster, snapshot)?;
    arguments.push(snapshot.size_bytes.to_string());
    arguments.push(from.to_string());
    let job = Job {
        name: "read the snapshot",
        script: READ,
        arguments,
        input: Vec::new(),
        timeout: READ_LIMIT,
    };
    let output = shell_of(reach, &snapshot.machine)?
        .stream(&job, pieces.clone())
        .await?;
    match output.status {
        // Whoever wants no more has had enough.
        0 => Ok(()),
        _ if pieces.is_closed() => Ok(()),
        status => Err(trouble(snapshot, &job, status, &output)),
    }
}

/// Deletes the file of `snapshot`.
pub(super) async fn discard(
    reach: &dyn Reach,
    cluster: &ClusterIdentity,
    snapshot: &WrittenSnapshot,
) -> Result<(), ProviderError> {
    let job = ending(arguments_of(cluster, snapshot)?);
    let output = shell_of(reach, &snapshot.machine)?.run(&job, &|_| ()).await?;
    match output.status {
        0 => Ok(()),
        status => Err(trouble(snapshot, &job, status, &output)),
    }
}

/// What deletes the snapshot that `arguments` are about: what a mark of ours has in it, the uid, its name.
pub(in crate::etcd) fn ending(arguments: Vec<String>) -> Job<'static> {
    Job {
        name: "delete the snapshot",
        script: END,
        arguments,
        input: Vec::new(),
        timeout: END_LIMIT,
    }
}

/// What it means that a script about `snapshot` ended with `status`.
fn trouble(snapshot: &WrittenSnapshot, job: &Job<'_>, status: i32, output: &Output) -> ProviderError {
    let WrittenSnapshot { machine, file, .. } = snapshot;
    let said = output.stderr.trim();
    match status {
        exit_status::NOT_OURS => permanent(format!("{machine}: failed to {}: {said}", job.name)),
        exit_status::NOT_THERE => permanent(format!("the snapshot {file} is not on {machine} any more"))
            .with_help(
                "write another one; one that nobody reads for 15 minutes goes when the next one is written",
            ),
        exit_status::OTHER_SIZE => permanent(format!("the snapshot {file} on {machine} has changed: {said}"))
            .with_help(format!(
                "write another one, and see how the disk of {machine} is: dmesg"
            )),
        _ => fence::failure(machine, job.name, output),
    }
}

fn uid_of(cluster: &ClusterIdentity) -> Result<&ClusterUid, ProviderError> {
    cluster.uid.as_ref().ok_or_else(|| {
        permanent(format!(
            "cluster {} has no uid yet, so nothing can be its own",
            cluster.name
        ))
    })
}

fn shell_of(reach: &dyn Reach, machine: &str) -> Result<Arc<dyn Shell>, ProviderError> {
    reach
        .shell(machine)
        .ok_or_else(|| permanent(format!("{machine} is not among the cluster's machines")))
}

/// The first arguments of every script: what a mark of ours has in it, the uid, and what it is about.
fn arguments(uid: &ClusterUid, about: &str) -> Vec<String> {
    vec![fragment(uid), uid.to_string(), about.to_owned()]
}

fn arguments_of(cluster: &ClusterIdentity, snapshot: &WrittenSnapshot) -> Result<Vec<String>, ProviderError> {
    check_name(&snapshot.file)?;
    Ok(arguments(uid_of(cluster)?, &snapshot.file))
}

#[cfg(test)]
mod tests;
