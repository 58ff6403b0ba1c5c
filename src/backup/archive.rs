//! A place where backups are kept: `<name>/{snapshot,manifest.json}` in a folder of a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_provider_api::bulk::Look;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{BulkStore, BulkWriter, Precondition};
use tokio::sync::mpsc::Receiver;

use super::error::BackupError;
use super::manifest::{BackupManifest, BackupName};
use super::packing::{Packed, Packer};
use super::state::{Backup, BackupState, NO_SNAPSHOT, Parts, UNFINISHED};
use super::sum::{Sum, Summing};
use super::unpacking::Unpacker;
use crate::pki::Seal;

const MANIFEST: &str = "manifest.json";
const SNAPSHOT: &str = "snapshot";

/// The backups in one place.
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn BulkStore>,
    /// Empty, or with a slash at its end.
    folder: String,
    seal: Arc<Seal>,
}

impl Archive {
    /// The backups of `cluster` in its state store, at `<cluster>/backups/etcd`, encrypted and opened as `seal` says.
    pub fn of_cluster(store: Arc<dyn BulkStore>, cluster: &ClusterName, seal: Arc<Seal>) -> Self {
        Self {
            store,
            folder: format!("{cluster}/backups/etcd/"),
            seal,
        }
    }

    /// The backups in `store`, which holds nothing else.
    pub fn whole_store(store: Arc<dyn BulkStore>, seal: Arc<Seal>) -> Self {
        Self {
            store,
            folder: String::new(),
            seal,
        }
    }

    /// Where they are kept, for people.
    pub fn location(&self) -> String {
        let store = self.store.location();
        let location = format!("{}/{}", store.trim_end_matches('/'), self.folder);
        location.trim_end_matches('/').to_owned()
    }

    fn path(&self, name: &BackupName, object: &str) -> String {
        format!("{}{name}/{object}", self.folder)
    }

    /// All that is there, in the order of their names.
    ///
    /// # Errors
    /// [`BackupError::Store`].
    pub async fn list(&self) -> Result<Vec<Backup>, BackupError> {
        let mut found: BTreeMap<BackupName, Parts> = BTreeMap::new();
        for seen in self.store.look(&self.folder, &format!("/{MANIFEST}")).await? {
            let path = seen.path.strip_prefix(&self.folder);
            let Some((name, object)) = path.and_then(|path| path.split_once('/')) else {
                continue;
            };
            let Ok(name) = BackupName::parse(name) else {
                continue;
            };
            match (object, seen.is) {
                (MANIFEST, Ok(Look::Content(content))) => {
                    found.entry(name).or_default().manifest = Some(content);
                }
                (SNAPSHOT, Ok(Look::Size(size))) => found.entry(name).or_default().size = Some(size),
                (MANIFEST | SNAPSHOT, Err(error)) => found.entry(name).or_default().trouble = Some(error),
                _ => {}
            }
        }
        let backups = found.into_iter().filter_map(|(name, parts)| {
            let state = parts.judge(&name)?;
            Some(Backup { name, state })
        });
        Ok(backups.collect())
    }

    /// How the backup `name` is; `None` when nothing of it is there.
    async fn state(&self, name: &BackupName) -> Option<BackupState> {
        let mut parts = Parts::default();
        match self.store.read(&self.path(name, MANIFEST)).await {
            Ok(manifest) => parts.manifest = manifest.map(|manifest| manifest.content),
            Err(error) => parts.trouble = Some(error),
        }
        match self.store.size(&self.path(name, SNAPSHOT)).await {
            Ok(size) => parts.size = size,
            Err(error) => parts.trouble = parts.trouble.or(Some(error)),
        }
        parts.judge(name)
    }

    /// True when the backup `name`, which was whole before, is deleted by now, or is being deleted: its manifest goes first.
    pub async fn is_gone(&self, name: &BackupName) -> bool {
        matches!(self.state(name).await, None | Some(BackupState::Unfinished))
    }

    /// That the backup `name` is damaged.
    pub fn damaged(&self, name: &BackupName, problem: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            name: name.to_string(),
            location: self.location(),
            problem: problem.into(),
        }
    }

    /// That nobody knows how the backup `name` is.
    pub fn unread(&self, name: &BackupName, problem: impl Into<String>) -> BackupError {
        BackupError::Unread {
            name: name.to_string(),
            location: self.location(),
            problem: problem.into(),
        }
    }

    /// The manifest of the backup `name`.
    ///
    /// # Errors
    /// [`BackupError::NotThere`], [`BackupError::Damaged`] when it cannot be one, [`BackupError::Unread`].
    pub async fn manifest(&self, name: &BackupName) -> Result<BackupManifest, BackupError> {
        match self.state(name).await {
            Some(BackupState::Whole(manifest)) => Ok(*manifest),
            Some(BackupState::Damaged { problem, .. }) => Err(self.damaged(name, problem)),
            Some(BackupState::Unread { problem, .. }) => Err(self.unread(name, problem)),
            Some(BackupState::Unfinished) => Err(self.damaged(name, UNFINISHED)),
            None => Err(BackupError::NotThere {
                name: name.to_string(),
                location: self.location(),
            }),
        }
    }

    /// Makes sure that what is packed from now on can be encrypted, before anybody goes to any trouble.
    ///
    /// # Errors
    /// [`BackupError::Pki`].
    pub fn check_packs(&self) -> Result<(), BackupError> {
        Packer::new(&self.seal).map(|_| ())
    }

    /// Packs what comes in `pieces` and keeps it as the snapshot of the backup `name`, if that is what was `expected`. It
    /// counts once its manifest is [written](Self::count).
    ///
    /// # Errors
    /// [`BackupError::Altered`] when something else has come, or not all of it; [`BackupError::Store`], as a conflict when one
    /// of that name is there. Nothing new is there then.
    pub async fn keep(
        &self,
        name: &BackupName,
        expected: &Sum,
        pieces: &mut Receiver<Vec<u8>>,
    ) -> Result<Packed, BackupError> {
        let mut packing = Packer::new(&self.seal)?;
        let mut writer = self.store.begin(&self.path(name, SNAPSHOT)).await?;
        while let Some(piece) = pieces.recv().await {
            write(&mut *writer, &packing.push(&piece)?).await?;
        }
        let (rest, packed) = packing.finish()?;
        if packed.plain != *expected {
            return Err(BackupError::Altered(expected.mismatch(&packed.plain, "it")));
        }
        write(&mut *writer, &rest).await?;
        writer.finish().await?;
        Ok(packed)
    }

    /// Writes the manifest of a backup whose snapshot is kept: from now on it counts.
    ///
    /// # Errors
    /// [`BackupError::Store`].
    pub async fn count(&self, manifest: &BackupManifest) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(manifest)
            .map_err(|error| BackupError::Pack { source: error.into() })?;
        let path = self.path(&manifest.name, MANIFEST);
        self.store.write(&path, &text, Precondition::Absent).await?;
        Ok(())
    }

    /// Opens the snapshot of a backup.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn open(&self, manifest: &BackupManifest) -> Result<Unpacker, BackupError> {
        let path = self.path(&manifest.name, SNAPSHOT);
        let object = self
            .store
            .open(&path)
            .await?
            .ok_or_else(|| self.damaged(&manifest.name, NO_SNAPSHOT))?;
        Unpacker::open(
            manifest.clone(),
            object,
            &self.seal,
            &self.store.location(),
            &path,
        )
        .await
    }

    /// Reads all of a backup, and finds it to be what was written, or says why not.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn verify(&self, manifest: &BackupManifest) -> Result<(), BackupError> {
        let mut unpacker = self.open(manifest).await?;
        while unpacker.next().await?.is_some() {}
        Ok(())
    }

    /// Reads all of the object in which a backup is kept, without opening it: that takes no key.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] when it is not what was written, [`BackupError::Store`].
    pub async fn check_object(&self, manifest: &BackupManifest) -> Result<(), BackupError> {
        let path = self.path(&manifest.name, SNAPSHOT);
        let Some(mut object) = self.store.open(&path).await? else {
            return Err(self.damaged(&manifest.name, NO_SNAPSHOT));
        };
        let mut summing = Summing::default();
        while let Some(piece) = object.read().await? {
            summing.add(&piece);
        }
        let (is, was) = (summing.sum(), manifest.stored.sum());
        if is == was {
            return Ok(());
        }
        Err(self.damaged(&manifest.name, was.mismatch(&is, "the object")))
    }

    /// Deletes the backup `name`, if it is there: its manifest first, so that at no moment half of it counts.
    ///
    /// # Errors
    /// [`BackupError::Store`].
    pub async fn delete(&self, name: &BackupName) -> Result<(), BackupError> {
        for object in [MANIFEST, SNAPSHOT] {
            self.store
                .delete(&self.path(name, object), Precondition::None)
                .await?;
        }
        Ok(())
    }

    /// Takes away what saves that were killed have left in the place of snapshots, and tells how many there were.
    ///
    /// # Errors
    /// [`BackupError::Store`].
    pub async fn sweep(&self) -> Result<usize, BackupError> {
        Ok(self.store.sweep(&self.folder).await?)
    }
}

async fn write(writer: &mut dyn BulkWriter, content: &[u8]) -> Result<(), BackupError> {
    if content.is_empty() {
        return Ok(());
    }
    Ok(writer.write(content).await?)
}
