//! Making a member's data of a snapshot, on its machine.

use std::time::Duration;

use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::{ProviderError, Restoration};

use crate::etcd::begin::{founders_urls, token_of};
use crate::etcd::mark::Mark;
use crate::etcd::step::{Deed, Step, data_of_nobody, permanent};
use crate::etcd::survey::Survey;
use crate::exit_status;
use crate::fence;
use crate::shell::Output;

/// As long as etcdutl may take to write the data of the largest database.
const PLACING: Duration = Duration::from_secs(1800);
const CHECKING: Duration = Duration::from_secs(30);
/// What etcd takes at once for its log, several times over.
const MARGIN_KIB: u64 = 256 * 1024;
const NAME: &str = "restore the member's data";

/// Makes sure that `machine` has etcd, and room for the data. Nothing is touched.
pub(super) async fn check(
    step: &Step<'_>,
    restoration: &Restoration,
    machine: &str,
) -> Result<(), ProviderError> {
    let etcd = restoration.etcd;
    let deed = Deed {
        name: "look for etcd",
        script: concat!(
            include_str!("../../scripts/room.sh"),
            include_str!("../../scripts/etcd-restore-check.sh")
        ),
        arguments: vec![
            etcd.cluster.to_owned(),
            etcd.unit.to_owned(),
            etcd.data_folder.to_owned(),
            restoration.id.clone(),
            need_kib(restoration).to_string(),
            restoration.sha256.clone(),
            restoration.size_bytes.div_ceil(1024).to_string(),
        ],
        machine,
        timeout: CHECKING,
    };
    let output = step.run(deed).await?;
    match output.status {
        0 => Ok(()),
        _ => Err(refusal(restoration, machine, &output)),
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
            include_str!("../../scripts/write.sh"),
            include_str!("../../scripts/room.sh"),
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
            need_kib(restoration).to_string(),
        ],
        machine,
        timeout: PLACING,
    };
    let output = step.run(deed).await?;
    match output.status {
        0 => Ok(Placed::Yes),
        exit_status::NOT_THERE => Ok(Placed::NotBrought),
        _ => Err(refusal(restoration, machine, &output)),
    }
}

/// How many KiB the data takes: the database anew, and a log beside it.
fn need_kib(restoration: &Restoration) -> u64 {
    let database_kib = restoration.size_bytes / 1024;
    database_kib
        .saturating_add(database_kib / 4)
        .saturating_add(MARGIN_KIB)
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
fn refusal(restoration: &Restoration, machine: &str, output: &Output) -> ProviderError {
    let etcd = restoration.etcd;
    match output.status {
        exit_status::NOT_OURS => permanent(format!("{machine} carries the mark of another cluster's etcd")).with_help(format!(
            "see /var/lib/keelson/etcd-{}.json on {machine}",
            etcd.cluster
        )),
        exit_status::DATA_OF_NOBODY => data_of_nobody(etcd, machine),
        exit_status::ANOTHER_MEMBER => permanent(format!("a member of before has come to {machine} meanwhile"))
            .with_help("run the command again: it is ended then"),
        exit_status::NO_PROGRAMS => permanent(format!("{machine} has no etcd: its bundle has not come")).with_help(
            "`keelson apply` installs it; a cluster has to be there before data is restored into it; where a restore has begun \
             before, `keelson etcd restore --begin-anew` goes without that machine",
        ),
        exit_status::NO_ROOM => permanent(format!(
            "{machine} has no room for the data: {}",
            output.stderr.trim()
        ))
        .with_help(format!(
            "make room below {0} on {machine}: what restores have moved aside, {0}.removed-* or {0}/removed-*, can be deleted by \
             hand where nobody needs it",
            etcd.data_folder
        )),
        _ => fence::failure(machine, NAME, output),
    }
}
