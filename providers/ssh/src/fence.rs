//! Scripts that change something on a host, and how they can end.
//!
//! Every one of them begins with `scripts/fence.sh`: a host remembers the highest fencing generation that it has seen of
//! its cluster, and refuses the scripts of a run that lost its lease meanwhile. It also refuses whoever speaks for another
//! cluster than the one that has claimed it.
//!
//! A host that is released forgets the generation with everything else: nothing of keelson may stay on it. Could a run
//! that lost its lease claim it again? The executor confirms its lease before every attempt
//! (`execute::Lease::confirm`), so one that slept stops there; and a script that waited on the host while it was being
//! released is refused by the prelude. What is left is a process that is stopped between that confirmation and the
//! sending of a claim, for longer than its lease lasts and than another run takes to destroy the cluster: then a host
//! bears the mark of a cluster that is gone, and nothing else, because the next step of that run is stopped. Only a
//! generation that stays on hosts for ever, or clocks that agree, would close this too; the next plan says so, by name
//! (`other-cluster`).

use std::time::Duration;

use keelson_provider_api::bundle::PROGRESS_MARK;
use keelson_provider_api::{ClusterUid, ErrorClass, Outcome, ProviderError, StepContext};

use crate::exit_status;
use crate::session::root::one_line;
use crate::shell::{HostError, HostErrorKind, Job, Output, Shell};

const PRELUDE: &str = include_str!("scripts/fence.sh");
/// As long as the prelude waits for scripts of runs before; it may do so twice.
const PRELUDE_LIMIT: Duration = Duration::from_secs(130);

/// What a script or a program that it runs says when there is hope that it works later.
const PASSING: &[&str] = &[
    "another apply script runs on this machine",
    "Temporary failure in name resolution",
    "Could not resolve host",
    "Could not resolve proxy",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Operation timed out",
    "Operation too slow",
    "transfer closed",
    "The requested URL returned error: 429",
    "The requested URL returned error: 5",
];
/// As programs say it; those of Go begin it with a small letter.
const DISK_FULL: [&str; 2] = ["No space left on device", "no space left on device"];
/// What a shell says when what it prints itself cannot be written, for whatever reason.
const CANNOT_WRITE: &str = "I/O error";

/// `script` behind the prelude. Its first two arguments are those of [`fence_arguments`], and are gone when it begins.
pub fn fenced(script: &str) -> String {
    format!("{PRELUDE}{script}")
}

/// What comes before a fenced script's own arguments.
///
/// # Errors
/// When the cluster has no uid yet, so that nothing can belong to it.
pub fn fence_arguments(context: &StepContext<'_>) -> Result<[String; 2], ProviderError> {
    let uid = context.cluster.uid.as_ref().map(ClusterUid::as_str);
    // The uid stands in a file that a shell reads.
    let fits = |uid: &&str| {
        !uid.is_empty()
            && uid
                .chars()
                .all(|character| character.is_ascii_graphic() && character != '"')
    };
    let Some(uid) = uid.filter(fits) else {
        return Err(ProviderError::new(
            ErrorClass::Permanent,
            format!(
                "cluster {} has no uid that hosts could be marked with",
                context.cluster.name
            ),
        ));
    };
    Ok([context.fencing_generation.to_string(), uid.to_owned()])
}

/// Runs `job`, whose script is without the prelude, behind it. Lines that begin with [`PROGRESS_MARK`] are told as
/// progress.
///
/// # Errors
/// How the change ends, unless the script ended with 0.
pub async fn run_fenced(
    shell: &dyn Shell,
    context: &StepContext<'_>,
    job: Job<'_>,
) -> Result<Output, Outcome> {
    let name = job.name;
    let output = let_in(shell, context, job).await?;
    if output.status == 0 {
        return Ok(output);
    }
    Err(Outcome::Rejected(failure(shell.host(), name, &output)))
}

/// The same for a script whose own statuses say something: with what it said, however it ended.
///
/// # Errors
/// How the change ends, when the script could not be run or not be heard out, or when the prelude did not let it begin.
pub async fn let_in(
    shell: &dyn Shell,
    context: &StepContext<'_>,
    mut job: Job<'_>,
) -> Result<Output, Outcome> {
    let arguments = fence_arguments(context).map_err(Outcome::Rejected)?;
    job.arguments.splice(0..0, arguments);
    let script = fenced(job.script);
    let job = Job {
        script: &script,
        timeout: job.timeout.saturating_add(PRELUDE_LIMIT),
        ..job
    };
    let output = shell.run(&job, &tell(context)).await.map_err(outcome_of)?;
    match output.status {
        exit_status::FENCED | exit_status::BUSY | exit_status::OTHER_CLUSTER => {
            Err(Outcome::Rejected(failure(shell.host(), job.name, &output)))
        }
        _ => Ok(output),
    }
}

/// Tells the lines of a script that begin with [`PROGRESS_MARK`] as progress.
pub(crate) fn tell(context: &StepContext<'_>) -> impl Fn(&str) + Send + Sync {
    move |line: &str| {
        if let Some(action) = line.strip_prefix(PROGRESS_MARK) {
            context.progress.tell(&one_line(action));
        }
    }
}

/// How a change ends whose script could not be run, or not be heard out.
pub fn outcome_of(error: HostError) -> Outcome {
    match error.kind {
        HostErrorKind::Unreachable | HostErrorKind::HostKey | HostErrorKind::Denied => {
            Outcome::Rejected(error.into())
        }
        HostErrorKind::Lost => Outcome::Indeterminate(error.into()),
    }
}

/// What a script that ended with another status than 0 means.
pub fn failure(host: &str, job: &str, output: &Output) -> ProviderError {
    let words = own_words(output);
    match output.status {
        exit_status::FENCED => ProviderError::new(ErrorClass::Fenced, format!("{host}: {words}"))
            .with_help(
                "another run of keelson works on this cluster: see its plan before you begin again; where there is none, \
                 the lease in the state store is older than the machine: raise its `generation` above the one seen there",
            ),
        exit_status::BUSY => ProviderError::new(ErrorClass::Transient, format!("{host}: {words}"))
            .with_help(format!("see what runs there: ssh {host} ps axf")),
        exit_status::OTHER_CLUSTER => ProviderError::new(ErrorClass::Permanent, format!("{host}: {words}"))
            .with_help(format!(
                "see /var/lib/keelson/host.json on {host}: destroy that cluster first, or take another host"
            )),
        exit_status::ANEW => {
            let message = format!("{host}: failed to {job}: {words}");
            ProviderError::new(ErrorClass::Transient, message)
        }
        status => {
            let message = format!("{host}: failed to {job} (status {status}): {words}");
            if DISK_FULL.iter().any(|full| words.contains(full)) {
                return ProviderError::new(ErrorClass::Permanent, message).with_help(format!(
                    "make room on {host} (df -h; journalctl --vacuum-size=200M) and run keelson again"
                ));
            }
            if words.contains(CANNOT_WRITE) {
                return ProviderError::new(ErrorClass::Permanent, message).with_help(format!(
                    "make room on {host} when its disk is full (df -h); when it is broken (dmesg), take another host"
                ));
            }
            let passes = PASSING.iter().any(|passing| words.contains(passing));
            let class = if passes {
                ErrorClass::Transient
            } else {
                ErrorClass::Permanent
            };
            ProviderError::new(class, message)
        }
    }
}

/// The script's own words: what it wrote to stderr, or the end of its output when that is nothing.
fn own_words(output: &Output) -> String {
    let mut texts = [&output.stderr, &output.stdout]
        .into_iter()
        .filter(|text| !text.trim().is_empty());
    one_line(texts.next().map_or("it said nothing", |text| text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: i32, stderr: &str) -> ProviderError {
        let output = Output {
            status,
            stdout: "keelson: write x\n".to_owned(),
            stderr: stderr.to_owned(),
        };
        failure("a", "apply the bundle", &output)
    }

    #[test]
    fn statuses_and_words_tell_what_to_expect() {
        assert_eq!(of(75, "later").class, ErrorClass::Fenced);
        assert_eq!(of(76, "busy").class, ErrorClass::Transient);
        assert_eq!(of(77, "other").class, ErrorClass::Permanent);
        assert_eq!(of(78, "damaged").class, ErrorClass::Transient);
        assert_eq!(of(1, "curl: (7) Connection refused").class, ErrorClass::Transient);
        for said in [
            "cp: x: No space left on device",
            "Error: write db: no space left on device",
        ] {
            let full = of(1, said);
            assert_eq!(full.class, ErrorClass::Permanent);
            assert!(full.help.unwrap().contains("make room on a"));
        }
        let unwritten = of(1, "keelson: 68: printf: printf: I/O error");
        assert!(unwritten.help.unwrap().contains("make room on a"));
        assert_eq!(
            of(1, "").message,
            "a: failed to apply the bundle (status 1): keelson: write x"
        );
    }
}
