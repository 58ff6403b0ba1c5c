//! Carrying a snapshot to a machine for a drill.

use keelson_provider_api::{ClusterUid, DrillSnapshot, ErrorClass, ProviderError};

use super::trouble;
use crate::etcd::maintenance::transfer::ending;
use crate::etcd::mark::fragment;
use crate::etcd::names::check_name;
use crate::etcd::step::{permanent, transient};
use crate::etcd::told::told;
use crate::exit_status;
use crate::file_parts::{FileParts, PART_LIMIT, Sendings};
use crate::shell::{Job, Shell};

const PART: &str = concat!(
    include_str!("../../scripts/etcd-transfer.sh"),
    include_str!("../../scripts/room.sh"),
    include_str!("../../scripts/etcd-drill-part.sh")
);

/// Carries it, and gives what it is called there. What was torn on the way is taken away and sent anew; where that cannot be, it
/// goes as everything does that is forgotten there.
pub(super) async fn carry(
    shell: &dyn Shell,
    uid: &ClusterUid,
    snapshot: &DrillSnapshot<'_>,
    need_kib: u64,
) -> Result<String, ProviderError> {
    let mut sendings = Sendings::default();
    loop {
        let mut name = None;
        let carried = carry_once(shell, uid, snapshot, need_kib, &mut name).await;
        let error = match (carried, name) {
            (Ok(()), Some(name)) => return Ok(name),
            (Ok(()), None) => return Err(permanent(format!("{} is empty", snapshot.file.display()))),
            (Err(error), name) => {
                if let Some(name) = name {
                    take_back(shell, uid, name).await;
                }
                error
            }
        };
        if error.class != ErrorClass::Transient {
            return Err(error);
        }
        sendings.again(&error)?;
    }
}

/// Carries it once; `name` is what it is called there from the first part on.
async fn carry_once(
    shell: &dyn Shell,
    uid: &ClusterUid,
    snapshot: &DrillSnapshot<'_>,
    need_kib: u64,
    name: &mut Option<String>,
) -> Result<(), ProviderError> {
    let unreadable =
        |error: std::io::Error| permanent(format!("{} cannot be read: {error}", snapshot.file.display()));
    let mut parts = FileParts::open(snapshot.file, 0).await.map_err(unreadable)?;
    if parts.size() == 0 {
        return Ok(());
    }
    while let Some(part) = parts.next().await.map_err(unreadable)? {
        let job = Job {
            name: "carry a snapshot",
            script: PART,
            arguments: vec![
                fragment(uid),
                uid.to_string(),
                snapshot.etcd.cluster.to_owned(),
                name.clone().unwrap_or_else(|| "-".to_owned()),
                part.from.to_string(),
                need_kib.to_string(),
            ],
            input: part.bytes,
            timeout: PART_LIMIT,
        };
        *name = Some(send(shell, &job).await?);
    }
    Ok(())
}

/// Takes away what has come of one that will not come whole. Where nobody answers it stays for a later sweep.
async fn take_back(shell: &dyn Shell, uid: &ClusterUid, name: String) {
    let job = ending(vec![fragment(uid), uid.to_string(), name]);
    shell.run(&job, &|_| ()).await.ok();
}

/// Sends a part, and gives what the snapshot is called.
async fn send(shell: &dyn Shell, job: &Job<'_>) -> Result<String, ProviderError> {
    let machine = shell.host();
    let output = shell.run(job, &|_| ()).await?;
    match output.status {
        0 => {}
        exit_status::NOT_THERE => {
            return Err(transient(format!(
                "{machine} has less of the snapshot than was sent"
            )));
        }
        _ => return Err(trouble(machine, job.name, &output)),
    }
    let name = told(&output.stdout, "name")
        .ok_or_else(|| transient(format!("{machine} did not say what it called the snapshot")))?;
    check_name(name)?;
    Ok(name.to_owned())
}
