//! Restores of etcd and drills of them, for reading.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use super::backups_text::{age, passed_over};
use super::humane::{approximate_size, duration, plural, printable};
use super::styles::{BAD, GOOD, paint};
use super::table::table;
use super::trouble::names;
use crate::ops::{BackupPlace, ClusterStatus, DrillReport, RestoredEtcd, UnpackedSnapshot};

/// Why a cluster with its data is not waited for: what only an apply brings, or takes away.
pub fn yet_to_come(status: &ClusterStatus) -> String {
    let names = names(&status.yet_to_come);
    format!("the cluster is not whole: an apply has yet to bring or mend {names}")
}

/// What came of restoring snapshots for trial.
pub fn drilled(reports: &[DrillReport]) -> String {
    let mut text = String::new();
    for report in reports {
        let verdict = if report.problems.is_empty() {
            paint(GOOD, "Good:")
        } else {
            paint(BAD, "Not what was saved:")
        };
        let drilled = &report.drilled;
        let _ = writeln!(
            text,
            "{verdict} {} of etcd {} was restored on {} in {}: etcd {} serves {} at revision {}",
            printable(&report.source),
            printable(&report.etcd_cluster),
            printable(&drilled.machine),
            duration(Duration::from_millis(report.duration_ms)),
            printable(&drilled.etcd_version),
            plural(usize::try_from(drilled.live.keys).unwrap_or(usize::MAX), "key"),
            drilled.revision,
        );
        for problem in &report.problems {
            let _ = writeln!(text, "  {} {}", paint(BAD, "!"), printable(problem));
        }
        text.push_str(&passed_over(&report.passed_over));
        if !report.unknown.is_empty() {
            let _ = writeln!(
                text,
                "  not compared, since it was not written down or was compacted meanwhile: {}",
                report.unknown.join(", ")
            );
        }
    }
    text
}

/// What an etcd will have when it is given `snapshot`, a line each: the newest one where nobody has named another, and whether
/// API servers stop meanwhile.
pub fn offered(snapshot: &UnpackedSnapshot, is_newest: bool, stops_apis: bool) -> Vec<String> {
    let source = printable(&snapshot.source);
    let etcd = printable(&snapshot.etcd_cluster);
    let size = approximate_size(snapshot.sum.size_bytes);
    let mut lines = vec![match (snapshot.taken_at, snapshot.contents) {
        (Some(taken_at), Some(contents)) => {
            let place = match snapshot.place {
                Some(BackupPlace::StateStore) => " in the state store",
                // Its words have it.
                Some(BackupPlace::Bucket | BackupPlace::Host(_)) | None => "",
            };
            let cluster = snapshot.of_cluster.as_ref();
            let cluster = cluster.map_or_else(String::new, |(name, _)| format!(" of {}", printable(name)));
            format!(
                "{source}{place} is of etcd {etcd}{cluster}, taken at {taken_at:.0}, {}: revision {}, {} keys, {size}",
                ago(taken_at, snapshot.now),
                contents.revision,
                contents.total_keys
            )
        }
        _ => format!(
            "{source} is a file of {size}: when it was taken, and of which etcd and which cluster, is not known; etcd {etcd} is to \
             have it"
        ),
    }];
    if is_newest {
        lines.push(format!(
            "no NAME was given: it is the newest of etcd {etcd}, and older ones are in `keelson etcd snapshot list`"
        ));
    }
    if stops_apis {
        lines.push("API servers, controller managers and schedulers stop meanwhile".to_owned());
    }
    lines
}

fn ago(taken_at: Timestamp, now: Timestamp) -> String {
    if taken_at > now {
        return "by a clock that is ahead".to_owned();
    }
    format!("{} ago", age(taken_at, now))
}

/// Which members have the data of a snapshot now.
pub fn restored(restored: &RestoredEtcd) -> String {
    format!(
        "{} etcd {} has the data of {}; its members: {}\n",
        paint(GOOD, "Restored:"),
        restored.etcd_cluster,
        printable(&restored.source),
        restored.members.join(", ")
    )
}

/// Where lies what restores have moved aside, and what may be done about it. Nothing, where nothing does.
pub fn set_aside(restored: &RestoredEtcd) -> String {
    let etcd = &restored.etcd_cluster;
    if let Some(problem) = &restored.aside_problem {
        return format!(
            "What etcd {etcd} held before lies beside its data on each machine, and stays until somebody deletes it. How much room it \
             takes is not known: {}\n",
            printable(problem)
        );
    }
    if restored.aside.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "What etcd {etcd} held before this restore, and before earlier ones, lies on its machines until somebody deletes it. Once \
         the cluster is seen to be right, that can be done by hand:\n"
    );
    let rows = restored.aside.iter().map(|aside| {
        vec![
            printable(&aside.machine),
            printable(&aside.folder),
            approximate_size(aside.size_bytes),
        ]
    });
    text.push_str(&table(&["MACHINE", "FOLDER", "SIZE"], &rows.collect::<Vec<_>>()));
    text
}
