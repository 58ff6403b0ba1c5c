//! Giving back the space that a database does not use
//! (<https://etcd.io/docs/v3.6/op-guide/maintenance/#defragmentation>).
//!
//! etcd copies what is in use to a new database beside the old one and lets nobody read or write meanwhile
//! (`backend.defrag` in `server/storage/backend/backend.go`). The member goes on to take part in Raft, so that its cluster
//! keeps its quorum. One that is ended in the middle has its old database, and takes the new one away when it starts.

use std::time::Duration;

use keelson_provider_api::{DatabaseSize, Defragmented, ProviderError};

use crate::etcd::answers::{self, Status};
use crate::etcd::meaning::{no_room, not_ours};
use crate::etcd::step::{Deed, Step, permanent, transient, unreachable_machine};
use crate::etcd::survey::Survey;
use crate::exit_status;
use crate::fence;
use crate::shell::Output;

/// How long it may take: 8 GiB, the most that etcd suggests, at 7 MiB a second.
const LIMIT: Duration = Duration::from_secs(1200);
/// For everything around it.
const ASKING: Duration = Duration::from_secs(60);
/// The room that is left beside the new database: etcd takes 64 MiB at once for its log.
const MARGIN_KIB: u64 = 64 * 1024;

/// Has the member on `machine` do it, if it is well and has a quorum.
pub(super) async fn defragment(step: &Step<'_>, machine: &str) -> Result<Defragmented, ProviderError> {
    let survey = step.survey().await?;
    let status = check(&survey, machine)?;
    step.tell(&format!("defragment the member on {machine}"));
    let output = step.run(deed(step, machine, status)).await?;
    let cluster = step.instance.cluster;
    match output.status {
        0 => read(&output).ok_or_else(|| {
            transient(format!(
                "{machine} did not say how large the database of etcd {cluster} is now: {}",
                output.stdout.trim()
            ))
        }),
        exit_status::NOT_OURS => Err(not_ours(step.instance, machine)),
        exit_status::NO_ROOM => {
            let what = format!("the new database of etcd {cluster} beside the old one");
            Err(no_room(machine, &what, &output.stderr))
        }
        _ => Err(fence::failure(machine, "defragment the member", &output)),
    }
}

fn deed<'a>(step: &Step<'_>, machine: &'a str, status: &Status) -> Deed<'a> {
    let used_kib = status.db_size_in_use / 1024;
    let need = used_kib.saturating_add(used_kib / 10).saturating_add(MARGIN_KIB);
    Deed {
        name: "defragment the member",
        script: concat!(
            include_str!("../../scripts/etcdctl.sh"),
            include_str!("../../scripts/room.sh"),
            include_str!("../../scripts/etcd-defrag.sh")
        ),
        arguments: vec![
            step.ours(),
            step.instance.cluster.to_owned(),
            step.instance.client_port.to_string(),
            step.instance.data_folder.to_owned(),
            need.to_string(),
            LIMIT.as_secs().to_string(),
        ],
        machine,
        timeout: LIMIT.saturating_add(ASKING),
    }
}

/// Refuses whatever is no voter of ours that is well, and gives what it says of itself.
fn check<'a>(survey: &'a Survey, machine: &str) -> Result<&'a Status, ProviderError> {
    let cluster = survey.instance.cluster;
    let seen = match survey.machines.get(machine) {
        None => {
            return Err(permanent(format!(
                "{machine} is not among the cluster's machines"
            )));
        }
        Some(Err(why)) => {
            return Err(unreachable_machine(format!(
                "{machine} cannot be looked at: {why}"
            )));
        }
        Some(Ok(seen)) => seen,
    };
    if seen.mark.ours().is_none() {
        return Err(not_ours(survey.instance, machine));
    }
    let Some(status) = &seen.status else {
        let why = seen.problem.as_deref().unwrap_or("its unit does not run");
        return Err(transient(format!(
            "the member of etcd {cluster} on {machine} does not answer: {why}"
        )));
    };
    if status.is_learner {
        // `isRPCSupportedForLearner` in `server/etcdserver/api/v3rpc/util.go`.
        return Err(transient(format!(
            "the member of etcd {cluster} on {machine} is learning, and etcd defragments none that does"
        )));
    }
    if !survey.votes_and_answers(machine) {
        return Err(transient(format!(
            "the member of etcd {cluster} on {machine} does not answer with a quorum"
        ))
        .with_help("bring the missing members back first"));
    }
    if survey.is_corrupt(machine) {
        return Err(permanent(format!(
            "the data of etcd {cluster} on {machine} differs from that of the other members (alarm CORRUPT)"
        ))
        .with_help(format!("replace the member on {machine}")));
    }
    Ok(status)
}

/// Reads what the script wrote.
fn read(output: &Output) -> Option<Defragmented> {
    let size = |about: &str| {
        let mut lines = output.stdout.lines();
        let answer = lines.find_map(|line| line.strip_prefix(about)?.strip_prefix(' '))?;
        let status = answers::endpoint_status(answer)?;
        Some(DatabaseSize {
            bytes: status.db_size,
            in_use_bytes: status.db_size_in_use,
        })
    };
    Some(Defragmented {
        before: size("before")?,
        after: size("after")?,
    })
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::ErrorClass;

    use super::*;
    use crate::etcd::survey::tests::{picture, raise};

    #[test]
    fn only_a_voter_of_ours_with_a_quorum_is_defragmented() {
        let class =
            |text: &str, machine: &str| check(&picture(text), machine).map(|_| ()).map_err(|e| e.class);
        assert_eq!(class("a:v b:v c:v", "a"), Ok(()));
        assert_eq!(class("a:v b:v c:d", "b"), Ok(()));
        for (text, machine, expected) in [
            ("a:v b:v c:d", "c", ErrorClass::Transient),
            ("a:v b:v c:l", "c", ErrorClass::Transient),
            ("a:d b:d c:d", "a", ErrorClass::Transient),
            ("a:v b:x c:v", "b", ErrorClass::Transient),
            ("a:v b:?", "b", ErrorClass::Unreachable),
            ("a:v b:n", "b", ErrorClass::Permanent),
            ("a:v b:f", "b", ErrorClass::Permanent),
            ("a:v", "z", ErrorClass::Permanent),
        ] {
            assert_eq!(class(text, machine), Err(expected), "{text} {machine}");
        }
        let mut survey = picture("a:v b:v c:v");
        for seen in survey.machines.values_mut().flatten() {
            seen.list = None;
        }
        let alone = Survey::of(survey.instance, survey.machines, survey.addresses);
        assert_eq!(
            check(&alone, "a").unwrap_err().class,
            ErrorClass::Transient,
            "no quorum"
        );
    }

    #[test]
    fn data_that_is_corrupt_is_left_alone() {
        let mut survey = picture("a:v b:v");
        raise(&mut survey, "b", "NOSPACE");
        assert!(check(&survey, "b").is_ok(), "it is what gives space back");
        raise(&mut survey, "b", "CORRUPT");
        assert_eq!(check(&survey, "b").unwrap_err().class, ErrorClass::Permanent);
        assert!(check(&survey, "a").is_ok());
    }

    #[test]
    fn sizes_are_read_from_a_whole_answer_alone() {
        let status = |size| {
            format!(
                r#"[{{"Status":{{"header":{{"member_id":7}},"dbSize":{size},"dbSizeInUse":5,"leader":7}}}}]"#
            )
        };
        let text = format!("before {}\nafter {}\n", status(90), status(10));
        let output = |stdout: &str| Output {
            status: 0,
            stdout: stdout.to_owned(),
            stderr: String::new(),
        };
        let read_one = read(&output(&text)).unwrap();
        assert_eq!((read_one.before.bytes, read_one.after.bytes), (90, 10));
        assert_eq!(read_one.after.in_use_bytes, 5);
        for rubbish in ["", &text.replace("after", "later"), &text[..text.len() - 5]] {
            assert_eq!(read(&output(rubbish)), None, "{rubbish}");
        }
    }
}
