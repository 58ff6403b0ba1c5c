//! Having a member write a snapshot, and what is known of it then
//! (<https://etcd.io/docs/v3.6/op-guide/recovery/#snapshotting-the-keyspace>).

use std::time::Duration;

use keelson_provider_api::{BoxFuture, ErrorClass, ProviderError, SnapshotContents};

use super::step::{permanent, transient};
use super::survey::Survey;
use super::told::{contents, told};
use crate::exit_status;
use crate::shell::Output;

/// How long writing and checking a snapshot may take; etcd suggests databases of up to 8 GiB.
pub(super) const LIMIT: Duration = Duration::from_secs(1200);

/// The room that is left beside a snapshot: etcd takes 64 MiB at once for its log.
const MARGIN_KIB: u64 = 128 * 1024;

/// A snapshot that was written and checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// What etcd says is in it.
    pub contents: SnapshotContents,
    /// The SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// The size of its file in bytes.
    pub size: u64,
    /// What the script called it, where it chose the name.
    pub name: Option<String>,
}

/// Has the members that `survey` shows write a snapshot by `write`, one after the other, until one has: where one has no room
/// or fails, the next one may not. Gives its machine too.
pub(super) async fn by_one_of<'a>(
    survey: &Survey,
    write: impl Fn(String) -> BoxFuture<'a, Result<Output, ProviderError>>,
) -> Result<(String, Written), ProviderError> {
    let cluster = survey.instance.cluster;
    let (mut full, mut failed) = (Vec::new(), Vec::new());
    for machine in writers(survey)? {
        let written = match write(machine.clone()).await {
            Ok(output) if output.status == exit_status::NO_ROOM => {
                full.push(format!("{machine}: {}", output.stderr.trim()));
                continue;
            }
            Ok(output) => check(&output, cluster, &machine),
            Err(error) => Err(error),
        };
        match written {
            Ok(written) => return Ok((machine, written)),
            Err(error) if matches!(error.class, ErrorClass::Fenced | ErrorClass::Unusable) => {
                return Err(error);
            }
            Err(error) => failed.push(error),
        }
    }
    Err(nobody(cluster, full, failed))
}

/// Why no member could.
fn nobody(cluster: &str, full: Vec<String>, mut failed: Vec<ProviderError>) -> ProviderError {
    if failed.is_empty() {
        return permanent(format!(
            "no machine has room for a snapshot of etcd {cluster}: {}",
            full.join("; ")
        ))
        .with_help("make room below /var/lib/keelson/snapshots on one of them");
    }
    if full.is_empty()
        && failed.len() == 1
        && let Some(only) = failed.pop()
    {
        return only;
    }
    let passes = failed.iter().any(|error| error.class.may_pass());
    let class = if passes {
        ErrorClass::Transient
    } else {
        ErrorClass::Permanent
    };
    let failed = failed.into_iter().map(|error| error.message);
    let why: Vec<String> = failed.chain(full).collect();
    let message = format!(
        "no member of etcd {cluster} could write a snapshot: {}",
        why.join("; ")
    );
    ProviderError::new(class, message).with_help("see that a member is well: keelson etcd status")
}

/// The machines whose members may write it, the one that does it best first: a follower, which has less to do. One whose data
/// differs from that of the others would write that down as the cluster's.
pub(super) fn writers(survey: &Survey) -> Result<Vec<String>, ProviderError> {
    let cluster = survey.instance.cluster;
    let (corrupt, writers): (Vec<_>, Vec<_>) = survey
        .other_voters("")
        .into_iter()
        .partition(|machine| survey.is_corrupt(machine));
    if !writers.is_empty() {
        return Ok(writers);
    }
    if !corrupt.is_empty() {
        let who = corrupt.join(", ");
        let message = format!("all members of etcd {cluster} that answer have the alarm CORRUPT: {who}");
        return Err(permanent(message).with_help("older snapshots can be restored without them"));
    }
    Err(
        if survey.has_formed() || survey.machines.values().any(Result::is_err) {
            transient(format!("no member of etcd {cluster} answers with a quorum"))
                .with_help("bring the missing members back; older snapshots can be restored without them")
        } else {
            permanent(format!("there is no etcd {cluster} to take a snapshot of"))
        },
    )
}

/// How many KiB a machine must have free to write a snapshot of its member.
pub(super) fn need_kib(survey: &Survey, machine: &str) -> u64 {
    let status = survey.seen(machine).and_then(|seen| seen.status.as_ref());
    let database_kib = status.map_or(0, |status| status.db_size / 1024);
    database_kib
        .saturating_add(database_kib / 10)
        .saturating_add(MARGIN_KIB)
}

/// Reads what the script wrote, and refuses what is no whole snapshot.
fn check(output: &Output, cluster: &str, machine: &str) -> Result<Written, ProviderError> {
    if output.status != 0 {
        let said = output
            .stderr
            .lines()
            .rev()
            .find(|line| !line.starts_with('{') && !line.is_empty());
        let said = said.unwrap_or("it gave no reason");
        let message = format!(
            "failed to write a snapshot of etcd {cluster} on {machine} (status {}): {said}",
            output.status
        );
        return Err(match output.status {
            exit_status::NOT_OURS => permanent(message),
            _ => transient(message),
        });
    }
    let answer = |about: &str| told(&output.stdout, about);
    let written = || {
        let sha256 = answer("sha256")?;
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = answer("size")?.parse().ok().filter(|&size: &u64| size > 32)?;
        let contents = contents(&output.stdout)?;
        is_digest.then(|| Written {
            contents,
            sha256: sha256.to_owned(),
            size,
            name: answer("name").map(str::to_owned),
        })
    };
    written().ok_or_else(|| {
        transient(format!(
            "the snapshot of etcd {cluster} on {machine} does not check out: {}",
            output.stdout.trim()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::etcd::survey::tests::{picture, raise};
    use keelson_provider_api::ErrorClass;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn output(status: i32, stdout: &str) -> Output {
        Output {
            status,
            stdout: stdout.to_owned(),
            stderr: "{\"level\":\"info\"}\nError: no space left on device\n{\"level\":\"warn\"}\n".to_owned(),
        }
    }

    #[test]
    fn a_snapshot_counts_when_all_of_it_checks_out() {
        let status = r#"{"hash":4055500838,"revision":12,"totalKey":7,"totalSize":20480,"version":"3.6.0"}"#;
        let text = format!("status {status}\nsha256 {DIGEST}\nsize 20512\n");
        let written = check(&output(0, &text), "main", "a").unwrap();
        assert_eq!((written.contents.revision, written.size), (12, 20512));
        assert_eq!(written.contents.live, None);
        let live = r#"{"keys":3,"history":{"hash":4082953917,"compactRevision":-1}}"#;
        let written = check(&output(0, &format!("{text}live {live}\n")), "main", "a").unwrap();
        let live = written.contents.live.unwrap();
        let history = live.history.unwrap();
        assert_eq!(
            (live.keys, history.hash, history.compact_revision),
            (3, 4_082_953_917, -1)
        );
        let empty = text.replace("\"revision\":12,\"totalKey\":7", "\"revision\":0,\"totalKey\":0");
        assert_eq!(
            check(&output(0, &empty), "main", "a").unwrap().contents.revision,
            0
        );
        for rubbish in [
            String::new(),
            text.replace("hash", "hush"),
            text.replace("20512", "0"),
            text.replace("20512", "x"),
            text.replace(DIGEST, "abc"),
            text.replace("sha256", "sha"),
            text.replace(status, "null"),
        ] {
            assert!(check(&output(0, &rubbish), "main", "a").is_err(), "{rubbish}");
        }
        let failed = check(&output(1, &text), "main", "a").unwrap_err();
        assert!(
            failed
                .message
                .ends_with("(status 1): Error: no space left on device"),
            "{failed}"
        );
    }

    #[test]
    fn a_follower_writes_it_and_without_a_quorum_nobody() {
        assert_eq!(writers(&picture("a:v b:v c:d")).unwrap(), ["b", "a"]);
        let class = |text: &str| writers(&picture(text)).expect_err(text).class;
        assert_eq!(class("a:d b:d c:d"), ErrorClass::Transient);
        assert_eq!(class("a:n b:!"), ErrorClass::Transient);
        assert_eq!(class("a:n b:w"), ErrorClass::Permanent);
    }

    #[test]
    fn whose_data_is_corrupt_writes_none() {
        let mut survey = picture("a:v b:v c:v");
        raise(&mut survey, "b", "CORRUPT");
        raise(&mut survey, "c", "NOSPACE");
        assert_eq!(writers(&survey).unwrap(), ["c", "a"]);
        for machine in ["a", "c"] {
            raise(&mut survey, machine, "CORRUPT");
        }
        let refused = writers(&survey).unwrap_err();
        assert_eq!(refused.class, ErrorClass::Permanent);
        assert!(
            refused
                .message
                .ends_with("that answer have the alarm CORRUPT: b, c, a"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn where_one_cannot_the_next_one_does() {
        let survey = picture("a:v b:v c:v");
        let text = format!(
            "name x\nstatus {{\"hash\":1,\"revision\":2,\"totalKey\":3,\"totalSize\":4}}\nsha256 {DIGEST}\nsize 36\n"
        );
        let by = async |answers: [Result<i32, ErrorClass>; 3]| {
            let tried = Mutex::new(Vec::new());
            let result = by_one_of(&survey, |machine| {
                let answer = answers[tried.lock().unwrap().len()];
                tried.lock().unwrap().push(machine.clone());
                let answer = answer.map(|status| output(status, &text));
                Box::pin(async move {
                    answer.map_err(|class| ProviderError::new(class, format!("{machine} fails")))
                })
            });
            let result = result.await.map(|(machine, written)| {
                assert_eq!(written.name.as_deref(), Some("x"));
                machine
            });
            (result, tried.into_inner().unwrap().len())
        };
        assert_eq!(
            by([Ok(0), Ok(0), Ok(0)]).await,
            (Ok("b".to_owned()), 1),
            "a leads"
        );
        assert_eq!(
            by([Ok(24), Err(ErrorClass::Transient), Ok(0)]).await,
            (Ok("a".to_owned()), 3)
        );
        assert_eq!(
            by([Ok(1), Err(ErrorClass::Unreachable), Ok(0)]).await.0,
            Ok("a".to_owned())
        );
        let (full, _) = by([Ok(24); 3]).await;
        assert_eq!(full.unwrap_err().class, ErrorClass::Permanent);
        let (mixed, tried) = by([Ok(24), Ok(1), Err(ErrorClass::Unreachable)]).await;
        let mixed = mixed.unwrap_err();
        assert_eq!((mixed.class, tried), (ErrorClass::Transient, 3));
        assert!(
            mixed.message.contains("a fails") && mixed.message.contains("b: "),
            "{mixed}"
        );
        let (foreign, _) = by([Ok(20), Ok(24), Ok(20)]).await;
        assert_eq!(foreign.unwrap_err().class, ErrorClass::Permanent);
        let (fenced, tried) = by([Err(ErrorClass::Fenced), Ok(0), Ok(0)]).await;
        assert_eq!((fenced.unwrap_err().class, tried), (ErrorClass::Fenced, 1));
    }
}
