//! What was opened before.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_provider_api::Versioned;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::Secret;
use tokio::sync::Mutex;

use super::error::PkiError;
use super::seal::{Object, Seal};

/// What a session has opened: each object once, however many machines need it, since a passphrase is meant to take long to
/// try. An object that was changed since has another version, and is opened anew.
#[derive(Default)]
pub struct Opened {
    by_path: Mutex<BTreeMap<String, Content>>,
}

/// What an object held when it was of that version.
struct Content {
    version: ObjectVersion,
    opened: Secret<Vec<u8>>,
}

impl Opened {
    /// What `object` holds; `None` stands for content that is not encrypted. Whoever else asks meanwhile waits for the same.
    pub(super) async fn open(
        &self,
        seal: &Arc<Seal>,
        read: &Versioned,
        object: Object<'_>,
    ) -> Result<Option<Secret<Vec<u8>>>, PkiError> {
        if !Seal::has_closed(&read.content) {
            return Ok(None);
        }
        let mut by_path = self.by_path.lock().await;
        if let Some(content) = by_path.get(object.path)
            && content.version == read.version
        {
            return Ok(Some(content.opened.clone()));
        }
        let (seal, content) = (Arc::clone(seal), read.content.clone());
        let (path, location) = (object.path.to_owned(), object.location.to_owned());
        // Not on the thread that everything else runs on.
        let opening = tokio::task::spawn_blocking(move || {
            let object = Object {
                path: &path,
                location: &location,
            };
            seal.open(&content, object)
        });
        let opened = opening
            .await
            .map_err(|problem| object.damaged(problem.to_string()))??;
        if let Some(opened) = &opened {
            let content = Content {
                version: read.version.clone(),
                opened: opened.clone(),
            };
            by_path.insert(object.path.to_owned(), content);
        }
        Ok(opened)
    }
}
