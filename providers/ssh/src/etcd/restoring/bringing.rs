//! Bringing a snapshot to the machines of those who are to be given its data, and having etcd there tell what it holds: before
//! anything of the cluster is touched.

use std::time::Duration;

use futures_util::future::join_all;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Outcome, ProviderError, Restoration};

use super::obstacles::all_of;
use super::placing::NO_PROGRAMS_HELP;
use crate::bundle::upload::Upload;
use crate::etcd::meaning::{no_programs, snapshot_not_there};
use crate::etcd::step::{Deed, Step, permanent};
use crate::etcd::told::{contents, told};
use crate::exit_status;
use crate::fence;
use crate::shell::Output;

/// As long as etcdutl may take to read the largest database.
const READING: Duration = Duration::from_secs(900);
const FORGETTING: Duration = Duration::from_secs(60);
const NAME: &str = "have etcd read the snapshot";
/// What the kernel says of a machine that is not well (`strerror(3)`, as Go has it), in small letters.
const OF_THE_MACHINE: [&str; 5] = [
    "input/output error",
    "cannot allocate memory",
    "no space left on device",
    "read-only file system",
    "too many open files",
];

/// Why the snapshot is not where it is to be, or is not what it is to be.
#[derive(Debug)]
pub(super) enum Unbrought {
    /// etcd does not take it for the snapshot that was saved.
    Refused(ProviderError),
    /// Nothing is said of the snapshot by it.
    Failed(ProviderError),
}

impl From<ProviderError> for Unbrought {
    fn from(error: ProviderError) -> Self {
        Self::Failed(error)
    }
}

impl From<Unbrought> for ProviderError {
    fn from(unbrought: Unbrought) -> Self {
        match unbrought {
            Unbrought::Refused(error) | Unbrought::Failed(error) => error,
        }
    }
}

/// Brings the snapshot to `machines`. Where it is refused it is on none of them any more; what else fails leaves it where it is, so
/// that it need not be sent anew.
pub(super) async fn bring(
    step: &Step<'_>,
    restoration: &Restoration,
    machines: &[&String],
) -> Result<(), ProviderError> {
    let brought = machines
        .iter()
        .map(|machine| bring_to(step, restoration, machine));
    let troubles = join_all(brought).await.into_iter().filter_map(Result::err);
    let troubles: Vec<Unbrought> = troubles.collect();
    if troubles
        .iter()
        .any(|trouble| matches!(trouble, Unbrought::Refused(_)))
    {
        join_all(machines.iter().map(|machine| forget(step, restoration, machine))).await;
    }
    all_of(troubles.into_iter().map(ProviderError::from).collect())
}

/// Brings the snapshot to `machine`, unless it is there, and compares what etcd tells of it there. An upload that was cut off goes
/// on where it was.
pub(super) async fn bring_to(
    step: &Step<'_>,
    restoration: &Restoration,
    machine: &str,
) -> Result<(), Unbrought> {
    let mut output = ask(step, restoration, machine).await?;
    if output.status == exit_status::NOT_THERE {
        let there = told(&output.stdout, "there").and_then(|bytes| bytes.parse().ok());
        upload(step, restoration, machine, there.unwrap_or(0)).await?;
        output = ask(step, restoration, machine).await?;
    }
    compare(restoration, machine, &output)
}

async fn ask(step: &Step<'_>, restoration: &Restoration, machine: &str) -> Result<Output, ProviderError> {
    let deed = Deed {
        name: NAME,
        script: concat!(
            include_str!("../../scripts/etcdutl.sh"),
            include_str!("../../scripts/etcd-restore-told.sh")
        ),
        arguments: vec![restoration.sha256.clone()],
        machine,
        timeout: READING,
    };
    step.run(deed).await
}

/// Compares what etcd on `machine` tells of the snapshot with what was written down when it was taken.
fn compare(restoration: &Restoration, machine: &str, output: &Output) -> Result<(), Unbrought> {
    let words = output.stderr.trim();
    match output.status {
        0 => {}
        exit_status::NOT_THERE => return Err(snapshot_not_there(machine).into()),
        exit_status::NO_PROGRAMS => return Err(no_programs(machine, NO_PROGRAMS_HELP).into()),
        exit_status::DAMAGED if !is_of_the_machine(words) => {
            return Err(refused(format!(
                "etcd on {machine} does not read the snapshot: {words}"
            )));
        }
        _ => return Err(fence::failure(machine, NAME, output).into()),
    }
    let (Some(version), Some(is)) = (told(&output.stdout, "version"), contents(&output.stdout)) else {
        let words = output.stdout.trim();
        let message = format!("what etcd on {machine} tells of the snapshot cannot be read: {words}");
        return Err(permanent(message).into());
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

/// True where what etcdutl says is about the machine, and not about what is in the file.
fn is_of_the_machine(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    OF_THE_MACHINE.iter().any(|of_it| words.contains(of_it))
}

fn refused(message: String) -> Unbrought {
    Unbrought::Refused(permanent(message).with_help("`keelson etcd snapshot list` shows others"))
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
    use crate::etcd::restoring::tests::restoration;
    use keelson_provider_api::{NotedContents, SnapshotContents};

    const GOOD: &str = r#"version 3.6.10
status {"hash":1,"revision":2,"totalKey":3,"totalSize":4,"version":"3.6.0"}
"#;

    fn of_hash(hash: u32) -> Restoration {
        Restoration {
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
            ..restoration()
        }
    }

    /// How what a script has said is judged, and whether the snapshot is refused by it.
    fn judged(restoration: &Restoration, status: i32, stdout: &str, stderr: &str) -> (bool, String) {
        let output = Output {
            status,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        match compare(restoration, "a", &output) {
            Ok(()) => (false, String::new()),
            Err(Unbrought::Refused(error)) => (true, error.message),
            Err(Unbrought::Failed(error)) => (false, error.message),
        }
    }

    #[test]
    fn only_what_was_saved_is_brought() {
        let rows = [
            (0, GOOD, "", 1, false, ""),
            (
                0,
                GOOD,
                "",
                9,
                true,
                "says etcd on a: hash: it has 1, and 9 was written down",
            ),
            (
                0,
                "version 3.6.10\n",
                "",
                1,
                false,
                "what etcd on a tells of the snapshot cannot be read",
            ),
            (
                exit_status::NOT_THERE,
                "",
                "",
                1,
                false,
                "the snapshot is not on a any more",
            ),
            (exit_status::NO_PROGRAMS, "", "", 1, false, "a has no etcd"),
            (
                exit_status::DAMAGED,
                "",
                "Error: invalid database",
                1,
                true,
                "does not read the snapshot: Error: invalid database",
            ),
            (
                exit_status::DAMAGED,
                "",
                "Error: read /var/lib/keelson/assets/x: Input/output error",
                1,
                false,
                "a: failed to have etcd read the snapshot (status 40)",
            ),
            (
                1,
                "",
                "signal 9 has ended etcdutl",
                1,
                false,
                "a: failed to have etcd read the snapshot (status 1): signal 9",
            ),
        ];
        for (status, stdout, stderr, hash, is_refused, expected) in rows {
            let (refused, said) = judged(&of_hash(hash), status, stdout, stderr);
            assert!(said.contains(expected), "{status}: {said}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{status}: {said}");
            assert_eq!(refused, is_refused, "{status}: {said}");
        }
        assert_eq!(
            judged(&restoration(), 0, GOOD, ""),
            (false, String::new()),
            "of a file nothing was written down"
        );
    }
}
