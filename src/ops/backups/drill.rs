//! Restoring a snapshot for trial, to know that it can be.

use keelson_provider_api::{DrillSnapshot, Drilled, HistoryHash, LiveKeys, Progress, SnapshotContents};
use serde::Serialize;

use super::PassedOver;
use super::unpacked::UnpackedSnapshot;
use crate::ops::error::OperationError;
use crate::ops::etcd::of_machine;
use crate::ops::session::Session;

/// What came of restoring a snapshot for trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillReport {
    /// The backup or the file.
    pub source: String,
    /// The etcd that it is of.
    pub etcd_cluster: String,
    /// True when the member that was given it has all that was written down about it, and no newer one was passed over.
    pub good: bool,
    /// Newer ones that are damaged or from a clock that is ahead.
    pub passed_over: Vec<PassedOver>,
    /// How what the member has differs from what was written down.
    pub problems: Vec<String>,
    /// What was not written down, so that there is nothing to compare it with.
    pub unknown: Vec<&'static str>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What the member had.
    #[serde(flatten)]
    pub drilled: Drilled,
}

impl Session {
    /// Makes sure that a drill can be on `machine`, before snapshots are read for it.
    ///
    /// # Errors
    /// [`OperationError::UnknownMachine`].
    pub fn check_drill_machine(&self, machine: &str) -> Result<(), OperationError> {
        let known = self.names_in_spec()?;
        if known.iter().any(|known| known == machine) {
            return Ok(());
        }
        Err(OperationError::UnknownMachine {
            name: machine.to_owned(),
            known,
        })
    }

    /// Gives `snapshot` to a member of its own, on `machine` or where none is named on one that can spare it, and compares what
    /// that has with what was written down when the snapshot was taken. Nothing of the cluster is changed, and nothing is left.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`], [`OperationError::UnknownEtcd`], [`OperationError::Machine`] when there is no such member.
    /// What differs is no error, but in the report.
    pub async fn drill_etcd(
        &self,
        snapshot: &UnpackedSnapshot,
        machine: Option<&str>,
        progress: &Progress<'_>,
    ) -> Result<DrillReport, OperationError> {
        let drill = self.backup_parts()?.drill.clone();
        let drill = drill.ok_or_else(|| OperationError::Simulated {
            name: self.spec().name().clone(),
            lacks: "data that could be restored",
        })?;
        let etcd = self.etcd_instance(&snapshot.etcd_cluster)?;
        let work = async {
            let identity = self.existing_identity().await?;
            let begun = self.clock().now();
            let wanted = DrillSnapshot {
                etcd,
                file: &snapshot.file,
                sha256: &snapshot.sum.sha256,
                size_bytes: snapshot.sum.size_bytes,
            };
            let drilled = drill.drill(&identity, &wanted, machine, progress).await;
            let drilled = drilled.map_err(of_machine)?;
            let took = self.clock().now().duration_since(begun).as_millis();
            let (problems, unknown) = compare(snapshot.contents.as_ref(), &drilled);
            Ok(DrillReport {
                source: snapshot.source.clone(),
                etcd_cluster: snapshot.etcd_cluster.clone(),
                good: problems.is_empty() && snapshot.passed_over.is_empty(),
                passed_over: snapshot.passed_over.clone(),
                problems,
                unknown,
                duration_ms: u64::try_from(took).unwrap_or(0),
                drilled,
            })
        };
        self.drive(work).await
    }
}

/// How what a member has differs from what was written down, and what was not written down.
fn compare(written: Option<&SnapshotContents>, drilled: &Drilled) -> (Vec<String>, Vec<&'static str>) {
    let (mut problems, mut unknown) = (Vec::new(), Vec::new());
    let mut check = |what: &'static str, is: i128, was: Option<i128>| match was {
        Some(was) if was != is => problems.push(format!("{what}: it has {is}, and {was} was written down")),
        Some(_) => {}
        None => unknown.push(what),
    };
    // An etcd that nobody has written to begins at 1.
    let revision = written.map(|written| i128::from(written.revision.max(1)));
    check("revision", drilled.revision.into(), revision);
    let live = written.and_then(|written| written.live);
    check(
        "keys",
        drilled.live.keys.into(),
        live.map(|live| live.keys.into()),
    );
    let hashes = live.and_then(|live| comparable(live, drilled.live));
    let is = hashes.map_or(0, |(_, is)| is.hash.into());
    check("hash of keys", is, hashes.map(|(was, _)| was.hash.into()));
    (problems, unknown)
}

/// Two hashes of the same history: one that was compacted further is of another one.
fn comparable(was: LiveKeys, is: LiveKeys) -> Option<(HistoryHash, HistoryHash)> {
    let (was, is) = (was.history?, is.history?);
    (was.compact_revision == is.compact_revision).then_some((was, is))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: HistoryHash = HistoryHash {
        hash: 77,
        compact_revision: 5,
    };

    fn live(keys: u64, history: Option<HistoryHash>) -> LiveKeys {
        LiveKeys { keys, history }
    }

    fn contents(revision: u64, live: Option<LiveKeys>) -> SnapshotContents {
        SnapshotContents {
            hash: 1,
            revision,
            total_keys: 40,
            total_bytes: 4096,
            live,
        }
    }

    fn drilled(revision: u64, live: LiveKeys) -> Drilled {
        Drilled {
            machine: "a".to_owned(),
            etcd_version: "3.6.8".to_owned(),
            contents: contents(revision, None),
            revision,
            live,
        }
    }

    /// What was written down, what a member has, what differs, and what cannot be compared.
    struct Row(
        Option<SnapshotContents>,
        Drilled,
        &'static [&'static str],
        &'static [&'static str],
    );

    const OTHER: HistoryHash = HistoryHash { hash: 78, ..HISTORY };
    const FURTHER: HistoryHash = HistoryHash {
        compact_revision: 6,
        ..OTHER
    };
    const HASH: &[&str] = &["hash of keys"];

    fn written(history: Option<HistoryHash>) -> SnapshotContents {
        contents(9, Some(live(30, history)))
    }

    fn has(revision: u64, keys: u64, history: Option<HistoryHash>) -> Drilled {
        drilled(revision, live(keys, history))
    }

    fn rows() -> Vec<Row> {
        let whole = || Some(written(Some(HISTORY)));
        vec![
            Row(whole(), has(9, 30, Some(HISTORY)), &[], &[]),
            Row(whole(), has(8, 30, Some(HISTORY)), &["revision"], &[]),
            Row(whole(), has(9, 29, Some(HISTORY)), &["keys"], &[]),
            Row(whole(), has(9, 30, Some(OTHER)), HASH, &[]),
            Row(
                whole(),
                has(10, 31, Some(OTHER)),
                &["revision", "keys", "hash of keys"],
                &[],
            ),
            // Hashes of another history say nothing, and neither does one alone.
            Row(whole(), has(9, 30, Some(FURTHER)), &[], HASH),
            Row(whole(), has(9, 30, None), &[], HASH),
            Row(Some(written(None)), has(9, 29, Some(HISTORY)), &["keys"], HASH),
            Row(
                Some(contents(9, None)),
                has(8, 30, Some(HISTORY)),
                &["revision"],
                &["keys", "hash of keys"],
            ),
            Row(
                None,
                has(9, 30, Some(HISTORY)),
                &[],
                &["revision", "keys", "hash of keys"],
            ),
            // Nobody has written to it, and its member serves the revision 1.
            Row(Some(contents(0, Some(live(0, None)))), has(1, 0, None), &[], HASH),
        ]
    }

    #[test]
    fn revision_keys_and_their_hash_are_compared_as_far_as_they_were_written_down() {
        for Row(written, has, differ, unknown) in rows() {
            let (problems, not_compared) = compare(written.as_ref(), &has);
            let told: Vec<&str> = problems
                .iter()
                .filter_map(|problem| Some(problem.split_once(':')?.0))
                .collect();
            assert_eq!(told, differ, "{written:?} {has:?}");
            assert_eq!(not_compared, unknown, "{written:?} {has:?}");
        }
        let (problems, _) = compare(Some(&written(Some(HISTORY))), &has(9, 30, Some(OTHER)));
        assert_eq!(problems, ["hash of keys: it has 78, and 77 was written down"]);
    }
}
