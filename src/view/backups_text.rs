//! Backups of etcd, for reading.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::humane::{approximate_size, duration, plural, printable};
use super::styles::{BAD, GOOD, STRONG, paint};
use super::table::table;
use crate::backup::{BackupManifest, KeepReason};
use crate::ops::{
    BackupCondition, BackupEntry, BackupList, PassedOver, PruneReport, SavedBackup, SilentPlace, VerifyReport,
};

/// What stands for something that is not known.
const NONE: &str = "-";

/// What was saved just now.
pub fn saved(saved: &[SavedBackup]) -> String {
    let mut text = String::new();
    for backup in saved {
        let SavedBackup { manifest, location } = backup;
        let _ = writeln!(
            text,
            "{} snapshot {} of etcd {}: revision {}, {} keys, {}, kept as {} in {}",
            paint(GOOD, "Saved:"),
            manifest.name,
            manifest.etcd_cluster,
            manifest.contents.revision,
            manifest.contents.total_keys,
            approximate_size(manifest.size_bytes),
            packed(manifest),
            printable(location)
        );
    }
    text
}

fn packed(manifest: &BackupManifest) -> String {
    let encrypted = if manifest.stored.packing.is_encrypted() {
        ", encrypted"
    } else {
        ""
    };
    format!("{}{encrypted}", approximate_size(manifest.stored.size_bytes))
}

/// The list as a table, and what is wrong below it.
pub fn list(list: &BackupList) -> String {
    if list.backups.is_empty() {
        return format!(
            "cluster {} has no snapshot in {}\n",
            list.name,
            printable(&list.locations.join(", "))
        ) + &silent(&list.silent);
    }
    let header = [
        "SNAPSHOT",
        "PLACE",
        "ETCD",
        "AGE",
        "REVISION",
        "KEYS",
        "SIZE",
        "KEPT",
        "BY",
        "FOR",
        "CONDITION",
    ];
    let rows: Vec<Vec<String>> = list.backups.iter().map(|backup| row(backup, list.now)).collect();
    let mut text = table(&header, &rows);
    for backup in &list.backups {
        if let Some(problem) = &backup.problem {
            let _ = writeln!(
                text,
                "  {} {}: {}",
                paint(BAD, "!"),
                backup.name,
                printable(problem)
            );
        }
    }
    text.push_str(&silent(&list.silent));
    let _ = writeln!(
        text,
        "{} in {}",
        plural(list.backups.len(), "snapshot"),
        printable(&list.locations.join(", "))
    );
    text
}

/// Which places did not answer, a line each.
pub fn silent(places: &[SilentPlace]) -> String {
    places.iter().fold(String::new(), |mut text, silent| {
        let SilentPlace { place, problem } = silent;
        let _ = writeln!(
            text,
            "  {} what {place} keeps is not known: {}",
            paint(BAD, "!"),
            printable(problem)
        );
        text
    })
}

/// What was left out where the newest snapshot was looked for: [`silent`] places and snapshots that were passed over.
pub fn left_out(places: &[SilentPlace], newer: &[PassedOver]) -> String {
    silent(places) + &passed_over(newer)
}

/// Which newer snapshots are not taken, a line each.
pub(super) fn passed_over(newer: &[PassedOver]) -> String {
    newer.iter().fold(String::new(), |mut text, newer| {
        let PassedOver {
            name,
            place,
            problem,
            unread: _,
        } = newer;
        let _ = writeln!(
            text,
            "  {} {name}{} is newer, and cannot be taken: {}",
            paint(BAD, "!"),
            printable(&place.words()),
            printable(problem)
        );
        text
    })
}

fn row(backup: &BackupEntry, now: Timestamp) -> Vec<String> {
    let condition = match backup.condition {
        BackupCondition::Whole if backup.of_earlier_life => "whole, of an earlier cluster",
        BackupCondition::Whole => "whole",
        BackupCondition::Damaged => "damaged",
        BackupCondition::Unread => "not read",
        BackupCondition::Unfinished => "unfinished",
    };
    let Some(manifest) = &backup.manifest else {
        let mut row = vec![NONE.to_owned(); 11];
        row.splice(0..2, [backup.name.to_string(), backup.place.to_string()]);
        row.splice(10.., [condition.to_owned()]);
        return row;
    };
    vec![
        backup.name.to_string(),
        printable(&backup.place.to_string()),
        printable(&manifest.etcd_cluster),
        age(manifest.taken_at, now),
        manifest.contents.revision.to_string(),
        manifest.contents.total_keys.to_string(),
        approximate_size(manifest.size_bytes),
        packed(manifest),
        printable(&manifest.machine),
        printable(&manifest.purpose),
        condition.to_owned(),
    ]
}

/// How long ago something was. What lies ahead was taken by a clock that is ahead.
pub(super) fn age(taken: Timestamp, now: Timestamp) -> String {
    match now.duration_since(taken).try_into() {
        Ok(age) => duration(age),
        Err(_) => "in the future".to_owned(),
    }
}

/// What was found when backups were read again.
pub fn verified(report: &VerifyReport) -> String {
    let mut text = String::new();
    for backup in &report.backups {
        let name = format!("{}{}", paint(STRONG, &backup.name), backup.place.words());
        let verdict = if backup.unread { "Not read:" } else { "Damaged:" };
        let _ = match (&backup.problem, &backup.manifest) {
            (Some(problem), _) => writeln!(text, "{} {name}: {}", paint(BAD, verdict), printable(problem)),
            (None, Some(manifest)) => writeln!(
                text,
                "{} {name}: {} read, {} unpacked, revision {}, {} keys",
                paint(GOOD, "Good:"),
                approximate_size(manifest.stored.size_bytes),
                approximate_size(manifest.size_bytes),
                manifest.contents.revision,
                manifest.contents.total_keys
            ),
            (None, None) => writeln!(text, "{} {name}", paint(GOOD, "Good:")),
        };
    }
    for gone in &report.gone {
        let _ = writeln!(text, "{}{} was deleted meanwhile", gone.name, gone.place.words());
    }
    for etcd in &report.none_of {
        let _ = writeln!(
            text,
            "{} there is no snapshot of etcd {etcd} of this cluster in {} that is whole",
            paint(BAD, "None:"),
            printable(&report.location)
        );
    }
    if report.backups.is_empty() && report.gone.is_empty() {
        let _ = writeln!(
            text,
            "cluster {} has no snapshot in {}",
            report.name,
            printable(&report.location)
        );
    }
    text.push_str(&silent(&report.silent));
    text
}

/// What was written to a file.
pub fn downloaded(name: &str, manifest: &BackupManifest, file: &str) -> String {
    format!(
        "{} {name} is written to {}: {}, revision {}",
        paint(GOOD, "Done:"),
        printable(file),
        approximate_size(manifest.size_bytes),
        manifest.contents.revision
    )
}

/// What a prune deletes and what it leaves.
pub fn pruned(report: &PruneReport) -> String {
    let mut text = String::new();
    for backup in &report.deleted {
        let size = backup
            .manifest
            .as_ref()
            .map(|manifest| approximate_size(manifest.stored.size_bytes));
        let what = size.unwrap_or_else(|| "never finished".to_owned());
        let _ = writeln!(text, "  {} {} ({what})", paint(BAD, "-"), backup.name);
    }
    for (name, reasons) in &report.kept {
        let _ = writeln!(text, "    {name} stays: {}", words(reasons));
    }
    for (name, problem) in &report.damaged {
        let problem = printable(problem);
        let _ = writeln!(
            text,
            "  {} {name} stays, and no rule counts it: {problem}",
            paint(BAD, "!")
        );
    }
    for name in &report.unfinished {
        let _ = writeln!(text, "    {name} stays: somebody may be saving it");
    }
    if report.swept > 0 {
        let remains = plural(report.swept, "file");
        let _ = writeln!(text, "    {remains} of killed saves taken away");
    }
    let verb = if report.done { "deleted" } else { "to delete" };
    let kept = report.kept.len() + report.damaged.len() + report.unfinished.len();
    let _ = writeln!(
        text,
        "{} {verb}, {} left in {}",
        plural(report.deleted.len(), "snapshot"),
        kept,
        printable(&report.location)
    );
    text
}

fn words<'a>(reasons: impl IntoIterator<Item = &'a KeepReason>) -> String {
    reasons
        .into_iter()
        .map(KeepReason::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
