//! Removing what an add-on no longer has.

use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::{BoxFuture, ProviderError};
use kube::ResourceExt as _;

use super::inventory;
use super::order::wave;
use crate::addons::ObjectId;
use crate::cluster::api::is_applied_by_us;
use crate::cluster::at_once::at_once;
use crate::cluster::connection::Connection;
use crate::cluster::step::{Step, transient};
use crate::cluster::trouble::TroubleKind;

/// How many objects are removed at once.
const CONCURRENCY: usize = 8;

/// How long the objects of one wave may take to be gone: those with finalizers, and namespaces, take their time.
const LIMIT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_secs(1);

/// Removes `surplus` of the add-on `name`, in the reverse of the order of applying, each wave when the one before is
/// gone: what defines or serves a kind goes after the objects of that kind.
///
/// Left alone is what another add-on has by now, and what keelson has not applied: an object that someone else made
/// under that name.
pub(super) async fn prune(
    step: &Step<'_>,
    connection: &Arc<Connection>,
    name: &str,
    surplus: Vec<ObjectId>,
) -> Result<(), ProviderError> {
    if surplus.is_empty() {
        return Ok(());
    }
    let mut surplus = without_those_of_others(connection, name, surplus).await?;
    surplus.sort_by_key(|id| std::cmp::Reverse(wave(id)));
    for of_wave in surplus.chunk_by(|left, right| wave(left) == wave(right)) {
        let removals: Vec<BoxFuture<'_, Result<Option<Going>, ProviderError>>> = of_wave
            .iter()
            .map(|id| Box::pin(delete(step, connection, id)) as BoxFuture<'_, _>)
            .collect();
        // When one fails, others may be on their way.
        step.touch();
        let going = at_once(CONCURRENCY, removals).await?;
        wait_until_gone(step, connection, going.into_iter().flatten().collect()).await?;
    }
    Ok(())
}

async fn without_those_of_others(
    connection: &Arc<Connection>,
    name: &str,
    surplus: Vec<ObjectId>,
) -> Result<Vec<ObjectId>, ProviderError> {
    let inventories = inventory::list(connection).await;
    let inventories = inventories.map_err(|trouble| trouble.into_error("read the inventories of add-ons"))?;
    let mut others = Vec::new();
    for (other, found) in inventories {
        match found {
            _ if other == name => {}
            Ok(found) => others.extend(found.inventory.objects),
            // What it names might be among what is to go.
            Err(damage) => return Err(super::apply::damaged(&damage)),
        }
    }
    let is_free = |id: &ObjectId| !others.iter().any(|other| other.is_same_object(id));
    Ok(surplus.into_iter().filter(is_free).collect())
}

/// An object that was told to go.
struct Going {
    id: ObjectId,
    uid: Option<String>,
}

async fn delete(
    step: &Step<'_>,
    connection: &Arc<Connection>,
    id: &ObjectId,
) -> Result<Option<Going>, ProviderError> {
    let failed = |verb: &str| format!("{verb} {id}");
    let metadata = connection.metadata(id).await;
    let Some(found) = metadata.map_err(|trouble| trouble.into_error(&failed("look at")))? else {
        return Ok(None);
    };
    if !is_applied_by_us(&found) {
        step.tell(&format!("leave {id} alone: someone else made it"));
        return Ok(None);
    }
    let going = Going {
        id: id.clone(),
        uid: found.uid(),
    };
    if found.metadata.deletion_timestamp.is_none() {
        step.tell(&format!("remove {id}"));
        let api = connection.of(id).await;
        let api = api.map_err(|trouble| trouble.into_error(&failed("remove")))?;
        let deleted = connection.delete(&api, &id.name, going.uid.clone()).await;
        step.wrote(deleted)
            .map_err(|trouble| trouble.into_error(&failed("remove")))?;
    }
    Ok(Some(going))
}

async fn wait_until_gone(
    step: &Step<'_>,
    connection: &Arc<Connection>,
    mut going: Vec<Going>,
) -> Result<(), ProviderError> {
    let patience = step.patience(LIMIT);
    let mut told = false;
    loop {
        let mut left = Vec::new();
        let mut why = String::new();
        for one in going {
            let metadata = match connection.metadata(&one.id).await {
                // Its kind has just gone with the CRD that defined it.
                Err(trouble) if trouble.kind == TroubleKind::NotFound => None,
                result => result.map_err(|trouble| trouble.into_error(&format!("look at {}", one.id)))?,
            };
            if let Some(found) = metadata.filter(|found| found.uid() == one.uid) {
                why = match found.finalizers() {
                    [] => format!("{} is still there", one.id),
                    waits => format!("{} waits for {}", one.id, waits.join(", ")),
                };
                left.push(one);
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if !told {
            step.tell(&format!("wait until {} is gone", left[0].id));
            told = true;
        }
        if !patience.wait(POLL).await {
            return Err(transient(format!(
                "{} objects are not gone yet: {why}",
                left.len()
            )));
        }
        going = left;
    }
}
