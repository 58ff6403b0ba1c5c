//! Whether the snapshots that the spec's schedule asks for come.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::{ScheduledRuns, ScheduledSnapshots, with_causes};

use super::SnapshotStatus;
use crate::ops::backups::BackupPlace;
use crate::ops::backups::newest::Wanted;
use crate::ops::identity::ClusterRecord;
use crate::ops::session::Session;
use crate::spec::OnCalendar;

/// So long the snapshot of a firing may take to count, at most and at least: between the two it is as long as one firing is
/// after the other.
const GRACE_MOST: SignedDuration = SignedDuration::from_mins(5);
const GRACE_LEAST: SignedDuration = SignedDuration::from_secs(30);

/// What is known of the snapshots of a cluster.
#[derive(Default)]
pub(super) struct Snapshots {
    /// The newest one that is whole of each etcd that has one, by the etcd's name.
    pub(super) newest: BTreeMap<&'static str, SnapshotStatus>,
    /// What is wrong with those of the schedule, in words.
    pub(super) warnings: Vec<String>,
}

/// Longer is nobody kept waiting for what is known of the cluster itself.
const LOOKS_LIMIT: Duration = Duration::from_secs(30);

impl Session {
    /// What is known of snapshots within half a minute.
    pub(super) async fn snapshots_in_time(&self, record: Option<&ClusterRecord>) -> Snapshots {
        tokio::select! {
            snapshots = self.snapshots(record) => snapshots,
            () = self.clock().sleep(LOOKS_LIMIT) => Snapshots {
                newest: BTreeMap::new(),
                warnings: vec![format!("where snapshots lie was not seen within {} s", LOOKS_LIMIT.as_secs())],
            },
        }
    }

    /// Looks at the backups of the cluster of `record`, and at what its machines say of the schedule. Whoever does not answer
    /// is left out: that it does not is told elsewhere.
    async fn snapshots(&self, record: Option<&ClusterRecord>) -> Snapshots {
        let (Some(record), Some(parts)) = (record, self.parts.backups.as_ref()) else {
            return Snapshots::default();
        };
        let schedule = self.spec().etcd.snapshots.schedule.as_ref();
        let asked = parts.scheduled.as_deref().filter(|_| schedule.is_some());
        let machines = parts.hosts.iter().map(|host| host.machine.as_str());
        let places = self.look_everywhere(schedule.is_none().then_some(&super::STATE_STORE));
        let (everywhere, runs) = tokio::join!(places, runs_of(asked, machines));
        let mut warnings = failures(&runs);
        let everywhere = match everywhere {
            Ok(everywhere) => everywhere,
            Err(error) => {
                let problem = with_causes(&error);
                warnings.push(format!(
                    "what the state store keeps of backups is not known: {problem}"
                ));
                return Snapshots {
                    newest: BTreeMap::new(),
                    warnings,
                };
            }
        };
        // Where all of them would lie: without it nobody knows what is missing.
        let unseen = everywhere
            .silent
            .iter()
            .find(|silent| silent.place == BackupPlace::Bucket);
        warnings
            .extend(unseen.map(|silent| format!("what the bucket keeps is not known: {}", silent.problem)));
        let now = self.clock().now();
        let newest_of = |etcd: &str| {
            let newest = everywhere.newest(Wanted {
                etcd,
                uid: Some(&record.uid),
                now,
            });
            newest.whole.map(|(_, manifest)| manifest)
        };
        for etcd in self.spec().etcd.instances() {
            let since = runs.iter().flat_map(|(_, runs)| runs);
            let since = since.filter(|runs| runs.etcd_cluster == etcd.cluster);
            let since = since.map(|runs| runs.since.max(record.created_at)).min();
            if let (Some(schedule), Some(since), None) = (schedule, since, unseen) {
                let last = newest_of(etcd.cluster).map(|manifest| manifest.taken_at);
                warnings.extend(overdue(etcd.cluster, schedule, last, since, now));
            }
        }
        let etcds = self.spec().etcd.instances().iter();
        Snapshots {
            newest: etcds
                .filter_map(|etcd| Some((etcd.cluster, newest_of(etcd.cluster)?.into())))
                .collect(),
            warnings,
        }
    }
}

/// What each machine says that answers.
async fn runs_of<'a>(
    scheduled: Option<&'a dyn ScheduledSnapshots>,
    machines: impl Iterator<Item = &'a str>,
) -> Vec<(&'a str, Vec<ScheduledRuns>)> {
    let Some(scheduled) = scheduled else {
        return Vec::new();
    };
    let asked = machines.map(|machine| async move { Some((machine, scheduled.runs(machine).await.ok()?)) });
    join_all(asked).await.into_iter().flatten().collect()
}

fn failures(runs: &[(&str, Vec<ScheduledRuns>)]) -> Vec<String> {
    let each = runs
        .iter()
        .flat_map(|(machine, runs)| runs.iter().map(move |run| (machine, run)));
    each.filter_map(|(machine, run)| {
        let etcd = &run.etcd_cluster;
        let failure = run.failure.as_ref()?;
        Some(format!(
            "the last snapshot of etcd {etcd} on {machine} failed: {failure}"
        ))
    })
    .collect()
}

/// What is to be said where two firings have passed since the last snapshot, or since the schedule is in force, and no snapshot
/// has come. Nothing, where nobody can tell when that is.
fn overdue(
    etcd: &str,
    schedule: &OnCalendar,
    last: Option<Timestamp>,
    since: Timestamp,
    now: Timestamp,
) -> Option<String> {
    let base = last.map_or(since, |last| last.max(since));
    let first = schedule.next_after(base)?;
    let second = schedule.next_after(first)?;
    let grace = second.duration_since(first).clamp(GRACE_LEAST, GRACE_MOST);
    if now.duration_since(second) <= grace {
        return None;
    }
    let ago = match last {
        Some(last) => format!("the last snapshot of etcd {etcd} is of {last:.0}"),
        None => format!("there is no snapshot of etcd {etcd}"),
    };
    Some(format!(
        "{ago}, although the schedule `{schedule}` asked for one at {first:.0} and at {second:.0}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schedule, the last snapshot, since when it is in force, now, and whether that is too late.
    const ROWS: &[(&str, Option<&str>, &str, &str, bool)] = &[
        ("hourly", Some("03:00:10"), "00:10:00", "04:30:00", false),
        ("hourly", Some("03:00:10"), "00:10:00", "05:04:59", false),
        ("hourly", Some("03:00:10"), "00:10:00", "05:05:01", true),
        // By hand, before the schedule was in force.
        ("hourly", Some("00:00:10"), "04:10:00", "06:04:00", false),
        ("hourly", Some("00:00:10"), "04:10:00", "06:06:00", true),
        ("hourly", None, "04:10:00", "06:04:00", false),
        ("hourly", None, "04:10:00", "06:06:00", true),
        ("*:*:0/10", Some("03:00:00"), "00:10:00", "03:00:50", false),
        ("*:*:0/10", Some("03:00:00"), "00:10:00", "03:00:51", true),
        ("2020-01-01", None, "04:10:00", "23:06:00", false),
    ];

    #[test]
    fn two_firings_without_a_snapshot_are_told() {
        let at = |time: &str| format!("2026-11-28T{time}Z").parse::<Timestamp>().unwrap();
        for &(schedule, last, since, now, is_late) in ROWS {
            let schedule = schedule.parse().unwrap();
            let said = overdue("main", &schedule, last.map(at), at(since), at(now));
            assert_eq!(
                said.is_some(),
                is_late,
                "{schedule} {last:?} {since} {now}: {said:?}"
            );
        }
    }
}
