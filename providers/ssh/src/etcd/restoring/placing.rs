//! Making a member's data of a snapshot, on its machine.

use std::time::Duration;

use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::{ProviderError, Restoration};

use crate::etcd::begin::{founders_urls, token_of};
use crate::etcd::mark::Mark;
use crate::etcd::meaning::{data_of_nobody, no_programs, no_room, not_ours};
use crate::etcd::room::{full_folder, of_restored_kib};
use crate::etcd::step::{ASIDE_STAMP, Deed, Step, permanent};
use crate::etcd::survey::Survey;
use crate::exit_status;
use crate::fence;
use crate::shell::Output;

/// As long as etcdutl may take to write the data of the largest database.
const PLACING: Duration = Duration::from_secs(1800);
const CHECKING: Duration = Duration::from_secs(30);
const CHECK: &str = "look for etcd";
const NAME: &str = "restore the member's data";
pub(super) const NO_PROGRAMS_HELP: &str = "`keelson apply` installs it; a cluster has to be there before data is restored into it; where a restore has begun before, \
     `keelson etcd restore --begin-anew` goes without that machine";

/// Makes sure that `machine` has etcd, and room for the data. Nothing is touched.
pub(super) async fn check(
    step: &Step<'_>,
    restoration: &Restoration,
    machine: &str,
) -> Result<(), ProviderError> {
    let etcd = restoration.etcd;
    let deed = Deed {
        name: CHECK,
        script: concat!(
            include_str!("../../scripts/room.sh"),
            include_str!("../../scripts/etcd-restore-check.sh")
        ),
        arguments: vec![
            etcd.cluster.to_owned(),
            etcd.unit.to_owned(),
            etcd.data_folder.to_owned(),
            restoration.id.clone(),
            of_restored_kib(restoration.size_bytes).to_string(),
            restoration.sha256.clone(),
            restoration.size_bytes.div_ceil(1024).to_string(),
        ],
        machine,
        timeout: CHECKING,
    };
    let output = step.run(deed).await?;
    match output.status {
        0 => Ok(()),
        _ => Err(refusal(restoration, machine, CHECK, &output)),
    }
}

/// Whether a member has its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    Yes,
    /// The snapshot is not on its machine.
    NotBrought,
}

/// Has etcdutl make the member's data of the snapshot that lies on `machine`.
pub(super) async fn place(
    step: &Step<'_>,
    survey: &Survey,
    restoration: &Restoration,
    machine: &str,
) -> Result<Placed, ProviderError> {
    let etcd = restoration.etcd;
    step.tell(&format!("make the data of etcd {} on {machine}", etcd.cluster));
    let deed = Deed {
        name: NAME,
        script: concat!(
            include_str!("../../scripts/alone.sh"),
            include_str!("../../scripts/write.sh"),
            include_str!("../../scripts/etcd-kept.sh"),
            include_str!("../../scripts/room.sh"),
            include_str!("../../scripts/etcdutl.sh"),
            include_str!("../../scripts/etcd-restore.sh")
        ),
        arguments: vec![
            step.ours(),
            etcd.cluster.to_owned(),
            etcd.unit.to_owned(),
            etcd.data_folder.to_owned(),
            machine.to_owned(),
            founders_urls(survey, &restoration.founders)?,
            token_of(step, Some(&restoration.id)),
            mark(step, restoration, machine).as_json(),
            restoration.sha256.clone(),
            restoration.bump_revision.to_string(),
            of_restored_kib(restoration.size_bytes).to_string(),
        ],
        machine,
        timeout: PLACING,
    };
    let output = step.run(deed).await?;
    match output.status {
        0 => Ok(Placed::Yes),
        exit_status::NOT_THERE => Ok(Placed::NotBrought),
        _ => Err(refusal(restoration, machine, NAME, &output)),
    }
}

/// What is written down about the member on `machine`: the same whoever goes on with the restore.
fn mark(step: &Step<'_>, restoration: &Restoration, machine: &str) -> Mark {
    Mark {
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
    }
}

/// Why it was not done.
fn refusal(restoration: &Restoration, machine: &str, name: &str, output: &Output) -> ProviderError {
    let etcd = restoration.etcd;
    match output.status {
        exit_status::NOT_OURS => not_ours(etcd, machine),
        exit_status::DATA_OF_NOBODY => data_of_nobody(etcd, machine),
        exit_status::ANOTHER_MEMBER => {
            permanent(format!("a member of before has come to {machine} meanwhile"))
                .with_help("run the command again: it is ended then")
        }
        exit_status::NO_PROGRAMS => no_programs(machine, NO_PROGRAMS_HELP),
        exit_status::NO_ROOM => no_room_for_the_data(restoration, machine, &output.stderr),
        _ => fence::failure(machine, name, output),
    }
}

/// There is too little room for the data, or for the snapshot that is carried there first: the disk that is named may be another
/// one than etcd's.
fn no_room_for_the_data(restoration: &Restoration, machine: &str, said: &str) -> ProviderError {
    let folder = restoration.etcd.data_folder;
    if full_folder(said) != Some(folder) {
        return no_room(machine, "the snapshot", said);
    }
    let begun = restoration.begun_at.strftime(ASIDE_STAMP);
    no_room(machine, "the data", said).with_help(format!(
        "make room below {folder} on {machine}: of what restores have moved aside there, {folder}.removed-TIME or \
         {folder}/removed-TIME, only what is older than {begun} can be deleted by hand, where nobody needs it; what this restore, or \
         one that it took the place of, has moved aside has to stay: nothing else has what etcd held"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::restoring::tests::restoration;

    #[test]
    fn the_disk_that_is_full_is_the_one_to_make_room_on() {
        let rows = [
            (
                "/var/lib/etcd",
                "a has no room for the data: 5 KiB",
                // What this one has moved aside is the only way back.
                "make room below /var/lib/etcd on a: of what restores have moved aside there, /var/lib/etcd.removed-TIME or \
                 /var/lib/etcd/removed-TIME, only what is older than 19700101T000000Z can be deleted",
            ),
            (
                "/var/lib/keelson",
                "a has no room for the snapshot: 5 KiB",
                "make room on the disk of /var/lib/keelson on a: df -h",
            ),
        ];
        for (folder, message, help) in rows {
            let output = Output {
                status: exit_status::NO_ROOM,
                stdout: String::new(),
                stderr: format!("5 KiB are free on the disk of {folder}, 7 are needed\n"),
            };
            let error = refusal(&restoration(), "a", NAME, &output);
            assert!(error.message.starts_with(message), "{error}");
            assert!(error.help.unwrap().starts_with(help), "{folder}");
        }
    }
}
