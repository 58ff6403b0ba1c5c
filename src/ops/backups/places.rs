//! Where backups lie, and what lies where.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use futures_util::future::join_all;
use keelson_provider_api::with_causes;
use serde::{Deserialize, Serialize};

use crate::backup::{Archive, Backup};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// Where a backup lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupPlace {
    /// Beside the state of its cluster.
    #[default]
    StateStore,
    /// In the bucket that machines write to by a schedule.
    Bucket,
    /// On the machine of that name, which has taken it by a schedule.
    Host(String),
}

impl BackupPlace {
    /// What follows the name of a backup that lies there, in words: nothing for the state store.
    pub fn words(&self) -> String {
        match self {
            Self::StateStore => String::new(),
            Self::Bucket => " in the bucket".to_owned(),
            Self::Host(machine) => format!(" on {machine}"),
        }
    }
}

/// What the state store is called where a place is to be named.
const STATE_STORE: &str = "state-store";
/// And the bucket.
const BUCKET: &str = "bucket";

impl fmt::Display for BackupPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateStore => formatter.write_str(STATE_STORE),
            Self::Bucket => formatter.write_str(BUCKET),
            Self::Host(name) => formatter.write_str(name),
        }
    }
}

impl FromStr for BackupPlace {
    type Err = std::convert::Infallible;

    /// Every name but those two is a machine's.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            STATE_STORE => Self::StateStore,
            BUCKET => Self::Bucket,
            name => Self::Host(name.to_owned()),
        })
    }
}

/// The backups that a machine keeps.
#[derive(Clone)]
pub struct HostArchive {
    /// The machine.
    pub machine: String,
    /// What it keeps.
    pub archive: Archive,
}

/// A place that did not say what lies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SilentPlace {
    /// The place.
    pub place: BackupPlace,
    /// Why nothing is known of it.
    pub problem: String,
}

/// A backup and where it lies.
pub(in crate::ops) struct Placed<'a> {
    pub(super) place: BackupPlace,
    pub(super) archive: &'a Archive,
    pub(super) backup: Backup,
}

/// What lies in all places that were asked.
pub(in crate::ops) struct Everywhere<'a> {
    pub(super) backups: Vec<Placed<'a>>,
    /// Where the places are, for people.
    pub(super) locations: Vec<String>,
    /// Machines that do not answer keep nobody from seeing what lies elsewhere.
    pub(in crate::ops) silent: Vec<SilentPlace>,
}

impl Session {
    /// Looks at all places; at `only` one where that is given. What machines keep goes with the cluster, so they are asked only
    /// while it lives.
    pub(in crate::ops) async fn look_everywhere(
        &self,
        only: Option<&BackupPlace>,
    ) -> Result<Everywhere<'_>, OperationError> {
        let parts = self.backup_parts()?;
        let hosts: &[HostArchive] = match self.living().await? {
            Some(_) => &parts.hosts,
            None => &[],
        };
        let mut places = vec![(BackupPlace::StateStore, &parts.archive)];
        let mut silent = Vec::new();
        match &parts.bucket {
            Some(Ok(archive)) => places.push((BackupPlace::Bucket, archive)),
            Some(Err(problem)) if only == Some(&BackupPlace::Bucket) => {
                return Err(OperationError::UnreadablePlace {
                    place: BackupPlace::Bucket,
                    problem: problem.clone(),
                });
            }
            Some(Err(problem)) if only.is_none() => silent.push(SilentPlace {
                place: BackupPlace::Bucket,
                problem: problem.clone(),
            }),
            Some(Err(_)) | None => {}
        }
        places.extend(
            hosts
                .iter()
                .map(|host| (BackupPlace::Host(host.machine.clone()), &host.archive)),
        );
        if let Some(only) = only {
            let known = places.iter().map(|(place, _)| place.to_string()).collect();
            places.retain(|(place, _)| place == only);
            if places.is_empty() {
                return Err(OperationError::UnknownPlace {
                    name: only.to_string(),
                    known,
                });
            }
        }
        let looks = places.into_iter().map(|(place, archive)| async move {
            let listed = archive.list().await;
            (place, archive, listed)
        });
        let mut everywhere = Everywhere {
            backups: Vec::new(),
            locations: Vec::new(),
            silent,
        };
        for (place, archive, listed) in join_all(looks).await {
            everywhere.locations.push(archive.location());
            match listed {
                Ok(backups) => everywhere
                    .backups
                    .extend(backups.into_iter().map(|backup| Placed {
                        place: place.clone(),
                        archive,
                        backup,
                    })),
                Err(error) if place == BackupPlace::StateStore || only.is_some() => return Err(error.into()),
                Err(error) => everywhere.silent.push(SilentPlace {
                    place,
                    problem: with_causes(&error),
                }),
            }
        }
        Ok(everywhere)
    }
}

impl Everywhere<'_> {
    /// Where they lie, in words, with those that did not answer.
    pub(super) fn location(&self) -> String {
        let mut words = self.locations.join(", ");
        for silent in &self.silent {
            let _ = write!(words, " ({} did not answer)", silent.place);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for place in [
            BackupPlace::StateStore,
            BackupPlace::Bucket,
            BackupPlace::Host("db-1".to_owned()),
        ] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
    }
}
