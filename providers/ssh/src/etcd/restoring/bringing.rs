//! Bringing a snapshot to the machines of those who are to be given its data, and having etcd there tell what it holds: before
//! anything of the cluster is touched.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ErrorClass, Outcome, ProviderError, Restoration};

use crate::bundle::upload::Upload;
use crate::etcd::step::{Deed, Step, permanent, transient};
use crate::etcd::told::{contents, told};
use crate::exit_status;
use crate::fence;
use crate::shell::Output;

/// As long as etcdutl may take to read the largest database.
const READING: Duration = Duration::from_secs(900);
const FORGETTING: Duration = Duration::from_secs(60);
/// So often is it uploaded, where an upload is torn on the way.
const UPLOADS_LIMIT: u32 = 3;
const NAME: &str = "have etcd read the snapshot";

/// Brings the snapshot to `machines`. Where it is refused it is on none of them any more; what may pass leaves it where it is, so
/// that it need not be sent anew.
pub(super) async fn bring(
    step: &Step<'_>,
    restoration: &Restoration,
    machines: &[&String],
) -> Result<(), ProviderError> {
    let brought = machines
        .iter()
        .map(|machine| bring_to(step, restoration, machine));
    let Err(error) = try_join_all(brought).await else {
        return Ok(());
    };
    if !error.class.may_pass() {
        join_all(machines.iter().map(|machine| forget(step, restoration, machine))).await;
    }
    Err(error)
}

/// Brings the snapshot to `machine`, unless it is there, and compares what etcd tells of it there. An upload that was torn goes on
/// where it was.
pub(super) async fn bring_to(
    step: &Step<'_>,
    restoration: &Restoration,
    machine: &str,
) -> Result<(), ProviderError> {
    let mut uploads = 0;
    loop {
        let output = ask(step, restoration, machine).await?;
        if output.status != exit_status::NOT_THERE || uploads == UPLOADS_LIMIT {
            return compare(restoration, machine, &output);
        }
        uploads += 1;
        let there = told(&output.stdout, "there").and_then(|bytes| bytes.parse().ok());
        let uploaded = upload(step, restoration, machine, there.unwrap_or(0)).await;
        uploaded.or_else(|error| match error.class {
            ErrorClass::Transient if uploads < UPLOADS_LIMIT => Ok(()),
            _ => Err(error),
        })?;
    }
}

async fn ask(step: &Step<'_>, restoration: &Restoration, machine: &str) -> Result<Output, ProviderError> {
    let deed = Deed {
        name: NAME,
        script: include_str!("../../scripts/etcd-restore-told.sh"),
        arguments: vec![restoration.sha256.clone()],
        machine,
        timeout: READING,
    };
    step.run(deed).await
}

/// Compares what etcd on `machine` tells of the snapshot with what was written down when it was taken.
fn compare(restoration: &Restoration, machine: &str, output: &Output) -> Result<(), ProviderError> {
    match output.status {
        0 => {}
        exit_status::NOT_THERE => {
            return Err(transient(format!("the snapshot is not on {machine} any more")));
        }
        exit_status::DAMAGED => {
            let words = output.stderr.trim();
            return Err(refused(format!(
                "etcd on {machine} does not read the snapshot: {words}"
            )));
        }
        _ => return Err(fence::failure(machine, NAME, output)),
    }
    let (Some(version), Some(is)) = (told(&output.stdout, "version"), contents(&output.stdout)) else {
        let words = output.stdout.trim();
        return Err(permanent(format!(
            "what etcd on {machine} tells of the snapshot cannot be read: {words}"
        )));
    };
    let noted = restoration.noted.as_ref();
    let differences = noted.map_or_else(Vec::new, |noted| noted.differences(&is, version));
    if differences.is_empty() {
        return Ok(());
    }
    Err(refused(format!(
        "the snapshot is not what was saved, says etcd on {machine}: {}",
        differences.join("; ")
    )))
}

fn refused(message: String) -> ProviderError {
    permanent(message).with_help("`keelson etcd snapshot list` shows others")
}

/// Carries what is lacking of the snapshot to `machine`, which has the first `there` bytes of it.
async fn upload(
    step: &Step<'_>,
    restoration: &Restoration,
    machine: &str,
    there: u64,
) -> Result<(), ProviderError> {
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
        there,
    };
    match upload.carry(&*shell, step.context).await {
        Ok(()) | Err(Outcome::Done) => Ok(()),
        Err(Outcome::Rejected(error) | Outcome::Indeterminate(error)) => Err(error),
    }
}

/// Takes the snapshot away again. Where that cannot be, it is used by the next restore of the same, and goes with the machine.
pub(super) async fn forget(step: &Step<'_>, restoration: &Restoration, machine: &str) {
    let deed = Deed {
        name: "take the snapshot away",
        script: include_str!("../../scripts/etcd-restore-forget.sh"),
        arguments: vec![restoration.sha256.clone()],
        machine,
        timeout: FORGETTING,
    };
    step.run(deed).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use keelson_provider_api::etcd::MAIN;
    use keelson_provider_api::{NotedContents, SnapshotContents};

    const GOOD: &str = r#"version 3.6.10
status {"hash":1,"revision":2,"totalKey":3,"totalSize":4,"version":"3.6.0"}
"#;

    fn restoration(hash: u32) -> Restoration {
        Restoration {
            id: "one".to_owned(),
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            etcd: &MAIN,
            founders: Vec::new(),
            file: "/nowhere".into(),
            sha256: String::new(),
            size_bytes: 36,
            noted: Some(NotedContents {
                contents: SnapshotContents {
                    hash,
                    revision: 2,
                    total_keys: 3,
                    total_bytes: 4,
                    live: None,
                },
                etcd_version: "3.6.10".to_owned(),
            }),
            bump_revision: 1,
            serves_kubernetes: false,
        }
    }

    #[test]
    fn only_what_was_saved_is_brought() {
        let rows = [
            (0, GOOD, "", 1, ""),
            (
                0,
                GOOD,
                "",
                9,
                "says etcd on a: hash: it has 1, and 9 was written down",
            ),
            (
                0,
                "version 3.6.10\n",
                "",
                1,
                "what etcd on a tells of the snapshot cannot be read",
            ),
            (
                exit_status::NOT_THERE,
                "",
                "",
                1,
                "the snapshot is not on a any more",
            ),
            (
                exit_status::DAMAGED,
                "",
                "Error: invalid database",
                1,
                "does not read the snapshot: Error: invalid database",
            ),
            (
                1,
                "",
                "no",
                1,
                "a: failed to have etcd read the snapshot (status 1): no",
            ),
        ];
        for (status, stdout, stderr, hash, expected) in rows {
            let output = Output {
                status,
                stdout: stdout.to_owned(),
                stderr: stderr.to_owned(),
            };
            let compared = compare(&restoration(hash), "a", &output);
            let said = compared.err().map_or_else(String::new, |error| error.message);
            assert!(said.contains(expected), "{status}: {said}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{status}: {said}");
        }
        let unnoted = Restoration {
            noted: None,
            ..restoration(9)
        };
        let output = Output {
            status: 0,
            stdout: GOOD.to_owned(),
            stderr: String::new(),
        };
        compare(&unnoted, "a", &output).unwrap();
    }
}
