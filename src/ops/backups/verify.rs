//! Reading backups again, to know that they are what was saved.

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::with_causes;
use serde::Serialize;

use super::newest::Wanted;
use super::places::{BackupPlace, Everywhere, Placed, SilentPlace};
use crate::backup::{BackupError, BackupManifest, BackupName, BackupState, UNFINISHED};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// Which backups are read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VerifyRequest {
    /// The newest of each etcd, and whatever is newer than the newest that is whole.
    #[default]
    Newest,
    /// The same of this etcd alone.
    NewestOf(String),
    /// Those of these names, wherever they lie.
    Named(Vec<BackupName>),
    /// All that counted once.
    All,
}

/// What was found when backups were read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The cluster.
    pub name: ClusterName,
    /// Where the backups are kept.
    pub location: String,
    /// True when each of them is good, each etcd that was asked for has one, and none may lie in a bucket of which nothing is seen.
    pub good: bool,
    /// The backups.
    pub backups: Vec<VerifiedBackup>,
    /// Those that were deleted while others were read, or they themselves: machines prune whenever they are to take one.
    pub gone: Vec<GoneBackup>,
    /// The etcds of which none is there that is whole, or was once.
    pub none_of: Vec<String>,
    /// Places that did not answer: what lies there was not read.
    pub silent: Vec<SilentPlace>,
}

/// A backup that is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoneBackup {
    /// Its name.
    pub name: BackupName,
    /// Where it lay.
    pub place: BackupPlace,
}

/// A backup that was read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedBackup {
    /// Its name.
    pub name: BackupName,
    /// Where it lies.
    pub place: BackupPlace,
    /// What is wrong with it, or why it could not be read; nothing for one that is good.
    pub problem: Option<String>,
    /// True for one that could not be read to its end: nobody knows whether it is good.
    pub unread: bool,
    /// What was written down about it.
    pub manifest: Option<BackupManifest>,
}

impl Session {
    /// Reads backups to their ends, opens and unpacks them, and compares what comes out with what was written down when they
    /// were saved: in all places, or in `place` alone.
    ///
    /// # Errors
    /// [`OperationError::Backup`] when one is not there, or when none could be read: it cannot be opened with the keys at hand,
    /// or the place where it is kept does not answer; [`OperationError::UnreadablePlace`] when nothing is seen of any etcd that could
    /// be the newest, and nothing of the bucket is; [`OperationError::UnknownPlace`], [`OperationError::UnknownEtcd`]. One that is
    /// damaged is no error here, but in the report, and so is one that could not be read where others could, and an etcd
    /// without any beside one that has some.
    pub async fn verify_backups(
        &self,
        request: &VerifyRequest,
        place: Option<&BackupPlace>,
    ) -> Result<VerifyReport, OperationError> {
        let everywhere = self.look_everywhere(place).await?;
        let (mut backups, mut gone, mut unread) = (Vec::new(), Vec::new(), None);
        let now = self.clock().now();
        let requested = self.requested(&everywhere, request, now).await?;
        for placed in requested.backups {
            match verified(placed, now).await {
                Verdict::Of(backup) => backups.push(backup),
                Verdict::Unread(backup, error) => {
                    backups.push(backup);
                    unread = unread.or(Some(error));
                }
                Verdict::Gone => gone.push(GoneBackup {
                    name: placed.backup.name.clone(),
                    place: placed.place.clone(),
                }),
            }
        }
        match unread {
            Some(error) if backups.iter().all(|backup| backup.unread) => return Err(error.into()),
            _ => {}
        }
        let was_any_read = !backups.is_empty() || gone.is_empty();
        // Whoever names snapshots has named what is to be read.
        let is_all_seen = matches!(request, VerifyRequest::Named(_)) || everywhere.check_bucket().is_ok();
        Ok(VerifyReport {
            name: self.spec().name().clone(),
            location: everywhere.location(),
            good: was_any_read
                && is_all_seen
                && requested.none_of.is_empty()
                && backups.iter().all(|backup| backup.problem.is_none()),
            backups,
            gone,
            none_of: requested.none_of,
            silent: everywhere.silent,
        })
    }

    async fn requested<'a>(
        &self,
        everywhere: &'a Everywhere<'a>,
        request: &VerifyRequest,
        now: Timestamp,
    ) -> Result<Requested<'a>, OperationError> {
        let all = || everywhere.backups.iter();
        let mut requested = Requested::default();
        match request {
            VerifyRequest::All => {
                let counted = all().filter(|placed| placed.backup.state != BackupState::Unfinished);
                requested.backups.extend(counted);
                requested
                    .backups
                    .sort_by(|one, other| one.backup.name.cmp(&other.backup.name));
            }
            VerifyRequest::Named(names) => {
                for name in names {
                    let before = requested.backups.len();
                    let of_name = all().filter(|placed| placed.backup.name == *name);
                    requested.backups.extend(of_name);
                    if requested.backups.len() == before {
                        return Err(everywhere.not_there(name));
                    }
                }
            }
            VerifyRequest::Newest => return self.newest_of_each(everywhere, None, now).await,
            VerifyRequest::NewestOf(etcd) => return self.newest_of_each(everywhere, Some(etcd), now).await,
        }
        Ok(requested)
    }

    /// The newest of each etcd, or of one alone, and whatever is newer. One that has none keeps nobody from reading the others'.
    async fn newest_of_each<'a>(
        &self,
        everywhere: &'a Everywhere<'a>,
        etcd: Option<&str>,
        now: Timestamp,
    ) -> Result<Requested<'a>, OperationError> {
        let uid = self.living().await?.map(|record| record.uid);
        let mut requested = Requested::default();
        for etcd in self.etcd_instances(etcd)? {
            let newest = everywhere.newest(Wanted {
                etcd: etcd.cluster,
                uid: uid.as_ref(),
                now,
            });
            if newest.whole.is_none() && newest.newer.is_empty() {
                requested.none_of.push(etcd.cluster.to_owned());
            }
            requested.backups.extend(newest.newer);
            requested.backups.extend(newest.whole.map(|(placed, _)| placed));
        }
        match requested.none_of.first() {
            Some(first) if requested.backups.is_empty() => {
                everywhere.check_bucket()?;
                Err(everywhere.none_whole(first))
            }
            _ => Ok(requested),
        }
    }
}

/// What is to be read.
#[derive(Default)]
struct Requested<'a> {
    backups: Vec<&'a Placed<'a>>,
    none_of: Vec<String>,
}

/// What came of reading a backup.
enum Verdict {
    /// It is good, or damaged.
    Of(VerifiedBackup),
    /// It could not be read, and that is not its own fault.
    Unread(VerifiedBackup, BackupError),
    Gone,
}

async fn verified(placed: &Placed<'_>, now: Timestamp) -> Verdict {
    let (archive, name) = (placed.archive, &placed.backup.name);
    let verified = |problem: Option<String>, manifest: Option<&BackupManifest>| VerifiedBackup {
        name: name.clone(),
        place: placed.place.clone(),
        problem,
        unread: false,
        manifest: manifest.cloned(),
    };
    let unread = |problem, manifest, error| {
        let backup = VerifiedBackup {
            unread: true,
            ..verified(Some(problem), manifest)
        };
        Verdict::Unread(backup, error)
    };
    let manifest = match &placed.backup.state {
        BackupState::Whole(manifest) => manifest,
        // The snapshot of one that machines prune may go between its manifest and itself being looked at.
        BackupState::Damaged { .. } if archive.is_gone(name).await => return Verdict::Gone,
        BackupState::Damaged { problem, .. } => return Verdict::Of(verified(Some(problem.clone()), None)),
        BackupState::Unread { problem, .. } => {
            return unread(problem.clone(), None, archive.unread(name, problem));
        }
        BackupState::Unfinished => return Verdict::Of(verified(Some(UNFINISHED.to_owned()), None)),
    };
    let error = match archive.verify(manifest).await {
        // One from a clock that is ahead is what was saved, and counts for nothing all the same.
        Ok(()) => return Verdict::Of(verified(placed.backup.trouble(now), Some(manifest))),
        Err(error) => error,
    };
    if archive.is_gone(name).await {
        return Verdict::Gone;
    }
    match error.into_damage() {
        Ok(problem) => Verdict::Of(verified(Some(problem), Some(manifest))),
        Err(other) => unread(with_causes(&other), Some(manifest), other),
    }
}
