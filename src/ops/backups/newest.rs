//! The newest backup of an etcd, and those that are newer and cannot be taken.

use jiff::Timestamp;
use keelson_provider_api::ClusterUid;
use serde::Serialize;

use super::age_key;
use super::places::{BackupPlace, Everywhere, Placed};
use crate::backup::{BackupManifest, BackupName, BackupState};
use crate::ops::error::OperationError;

/// A backup that is newer than the one that is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedOver {
    /// Its name.
    pub name: BackupName,
    /// Where it lies.
    pub place: BackupPlace,
    /// Why it is not taken.
    pub problem: String,
    /// True for one that could not be read: it may be whole.
    pub unread: bool,
}

/// Whose backup is looked for.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Wanted<'a> {
    /// The etcd.
    pub(in crate::ops) etcd: &'a str,
    /// The cluster that lives; nothing for any, where none does.
    pub(in crate::ops) uid: Option<&'a ClusterUid>,
    /// What time it is.
    pub(in crate::ops) now: Timestamp,
}

/// What is found where the newest is looked for.
pub(in crate::ops) struct Newest<'a> {
    /// The newest that counts.
    pub(in crate::ops) whole: Option<(&'a Placed<'a>, &'a BackupManifest)>,
    /// What is newer, the newest first.
    pub(super) newer: Vec<&'a Placed<'a>>,
}

impl Everywhere<'_> {
    /// The newest backup that is whole, and all that are newer. Of one that lies in several places, the one in the state store.
    pub(in crate::ops) fn newest(&self, wanted: Wanted<'_>) -> Newest<'_> {
        let whole = self.wanted(wanted).max_by_key(age_and_place);
        let last = whole.map(|(_, manifest)| (manifest.taken_at.as_second(), &manifest.name));
        let mut newer: Vec<(i64, &Placed<'_>)> = self
            .backups
            .iter()
            .filter_map(|placed| Some((may_be(placed, wanted)?.as_second(), placed)))
            .filter(|(taken, placed)| last.is_none_or(|last| (*taken, &placed.backup.name) > last))
            .collect();
        newer.sort_by_key(|(taken, placed)| std::cmp::Reverse((*taken, &placed.backup.name)));
        Newest {
            whole,
            newer: newer.into_iter().map(|(_, placed)| placed).collect(),
        }
    }

    /// The newest that counts of those that were taken before `newest`.
    pub(super) fn before(&self, wanted: Wanted<'_>, newest: &BackupManifest) -> Option<&Placed<'_>> {
        let older = self
            .wanted(wanted)
            .filter(|(_, manifest)| age_key(manifest) < age_key(newest));
        older.max_by_key(age_and_place).map(|(placed, _)| placed)
    }

    /// Those that count.
    fn wanted<'a>(
        &'a self,
        wanted: Wanted<'_>,
    ) -> impl Iterator<Item = (&'a Placed<'a>, &'a BackupManifest)> {
        let counted = self
            .backups
            .iter()
            .filter_map(move |placed| Some((placed, placed.backup.counted(wanted.now)?)));
        counted
            .filter(move |(_, manifest)| manifest.etcd_cluster == wanted.etcd)
            .filter(move |(_, manifest)| wanted.uid.is_none_or(|uid| manifest.cluster_uid == *uid))
    }
}

/// What the newest is found by. Of one that lies in several places, the first place counts.
fn age_and_place<'a>(
    (placed, manifest): &(&'a Placed<'a>, &'a BackupManifest),
) -> ((Timestamp, &'a BackupName), std::cmp::Reverse<&'a BackupPlace>) {
    (age_key(manifest), std::cmp::Reverse(&placed.place))
}

/// When a backup was taken that may be one of those that are wanted, and does not count although it did once.
fn may_be(placed: &Placed<'_>, wanted: Wanted<'_>) -> Option<Timestamp> {
    placed.backup.trouble(wanted.now)?;
    let (etcd, taken) = match placed.backup.manifest() {
        Some(manifest) if wanted.uid.is_some_and(|uid| manifest.cluster_uid != *uid) => return None,
        Some(manifest) => (manifest.etcd_cluster.as_str(), manifest.taken_at),
        None => placed.backup.name.tells()?,
    };
    (etcd == wanted.etcd).then_some(taken)
}

impl Newest<'_> {
    /// What is newer than the one that is taken, in words. One that could not be read may be whole, and nobody takes an older one in
    /// its place without knowing it.
    ///
    /// # Errors
    /// [`OperationError::NewerUnread`].
    pub(super) fn passed_over(&self, now: Timestamp) -> Result<Vec<PassedOver>, OperationError> {
        let passed_over = self.newer.iter().filter_map(|placed| {
            Some(PassedOver {
                name: placed.backup.name.clone(),
                place: placed.place.clone(),
                problem: placed.backup.trouble(now)?,
                unread: matches!(placed.backup.state, BackupState::Unread { .. }),
            })
        });
        let (unread, passed_over): (Vec<_>, Vec<_>) = passed_over.partition(|newer| newer.unread);
        if unread.is_empty() {
            Ok(passed_over)
        } else {
            Err(OperationError::NewerUnread(unread))
        }
    }
}
