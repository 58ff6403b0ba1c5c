//! Carrying a snapshot to a machine, in parts, so that it is never in memory as a whole.

use std::time::Duration;

use keelson_provider_api::{ClusterUid, DrillSnapshot, ErrorClass, ProviderError};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::etcd::mark::fragment;
use crate::etcd::snapshot::check_name;
use crate::etcd::step::{permanent, transient};
use crate::etcd::told::told;
use crate::fence;
use crate::shell::{Job, Shell};

const PART: &str = concat!(
    include_str!("../../scripts/etcd-transfer.sh"),
    include_str!("../../scripts/etcd-drill-part.sh")
);
const PART_BYTES: u64 = 8 << 20;
/// A part in this time needs 0.3 Mbit/s.
const PART_LIMIT: Duration = Duration::from_secs(240);
/// So often it is sent anew that was torn on the way.
const ATTEMPTS_LIMIT: u32 = 3;

/// Carries it, and gives what it is called there. What was torn on the way is sent anew; what is left of that goes as everything
/// does that is forgotten there.
pub(super) async fn carry(
    shell: &dyn Shell,
    uid: &ClusterUid,
    snapshot: &DrillSnapshot<'_>,
) -> Result<String, ProviderError> {
    let mut attempts = 1;
    loop {
        match carry_once(shell, uid, snapshot).await {
            Err(error) if error.class == ErrorClass::Transient && attempts < ATTEMPTS_LIMIT => attempts += 1,
            done => return done,
        }
    }
}

async fn carry_once(
    shell: &dyn Shell,
    uid: &ClusterUid,
    snapshot: &DrillSnapshot<'_>,
) -> Result<String, ProviderError> {
    let unreadable =
        |error: std::io::Error| permanent(format!("{} cannot be read: {error}", snapshot.file.display()));
    let mut file = File::open(snapshot.file).await.map_err(unreadable)?;
    let mut name = None;
    let mut sent = 0_u64;
    loop {
        let mut part = Vec::new();
        (&mut file)
            .take(PART_BYTES)
            .read_to_end(&mut part)
            .await
            .map_err(unreadable)?;
        let count = u64::try_from(part.len()).unwrap_or(u64::MAX);
        if count == 0
            && let Some(name) = name
        {
            return Ok(name);
        }
        let job = Job {
            name: "carry a snapshot",
            script: PART,
            arguments: vec![
                fragment(uid),
                uid.to_string(),
                snapshot.etcd.cluster.to_owned(),
                name.clone().unwrap_or_else(|| "-".to_owned()),
                sent.to_string(),
            ],
            input: part,
            timeout: PART_LIMIT,
        };
        name = Some(send(shell, &job).await?);
        sent = sent.saturating_add(count);
    }
}

/// Sends a part, and gives what the snapshot is called.
async fn send(shell: &dyn Shell, job: &Job<'_>) -> Result<String, ProviderError> {
    let machine = shell.host();
    let output = shell.run(job, &|_| ()).await?;
    match output.status {
        0 => {}
        20 => return Err(permanent(format!("{machine}: {}", output.stderr.trim()))),
        23 => {
            return Err(permanent(format!("{machine} has no etcd")).with_help(
                "choose another machine with --machine, or name programs of this machine with --programs",
            ));
        }
        25 => {
            return Err(transient(format!(
                "{machine} has less of the snapshot than was sent"
            )));
        }
        _ => return Err(fence::failure(machine, job.name, &output)),
    }
    let name = told(&output.stdout, "name")
        .ok_or_else(|| transient(format!("{machine} did not say what it called the snapshot")))?;
    check_name(name)?;
    Ok(name.to_owned())
}
