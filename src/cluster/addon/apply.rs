//! Applying and removing add-ons. Each can be cut off at any point and is finished by doing it again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::kinds::Addon;
use keelson_provider_api::{BoxFuture, ErrorClass, ProviderError};

use super::crd::{defined_scopes, wait_until_served};
use super::inventory::{self, Found, Inventory};
use super::order::{DEFINITIONS, waves};
use super::prune::prune;
use crate::addons::{Object, ObjectId};
use crate::cluster::at_once::at_once;
use crate::cluster::connection::Connection;
use crate::cluster::step::{Step, permanent};
use crate::cluster::trouble::{Trouble, TroubleKind};

/// How many objects are applied at once.
const CONCURRENCY: usize = 8;

/// How long a kind that was defined just now may be unknown to the API server that is asked: they learn of it one after
/// the other.
const NEW_KIND_LIMIT: Duration = Duration::from_secs(30);
const NEW_KIND_POLL: Duration = Duration::from_millis(500);

/// Where objects are that name no namespace of their own.
const DEFAULT_NAMESPACE: &str = "default";

/// Makes the add-on `name` what `wanted` says, out of `objects`.
pub(in crate::cluster) async fn apply(
    step: &Step<'_>,
    name: &str,
    wanted: &Addon,
    objects: Vec<Object>,
    generation: u32,
) -> Result<(), ProviderError> {
    let connection = step.connection().await?;
    let before = own_inventory(step, &connection, name).await?;
    let objects = placed(&connection, objects).await?;
    let ids: Vec<ObjectId> = objects.iter().map(|object| object.id().clone()).collect();
    let surplus: Vec<ObjectId> = before
        .iter()
        .flat_map(|found| &found.inventory.objects)
        .filter(|old| !ids.iter().any(|id| id.is_same_object(old)))
        .cloned()
        .collect();
    let done = Inventory {
        name: name.to_owned(),
        source: wanted.source.clone(),
        digest: Some(wanted.digest),
        objects: ids,
        cluster_uid: step.uid.to_string(),
        created_at: before
            .as_ref()
            .map_or(step.clock.now(), |found| found.inventory.created_at),
        generation: before
            .as_ref()
            .map_or(generation, |found| found.inventory.generation),
        fencing_generation: step.context.fencing_generation,
    };
    let begun = Inventory {
        digest: None,
        objects: done.objects.iter().chain(&surplus).cloned().collect(),
        ..done.clone()
    };
    write(step, &connection, &begun, before.as_ref()).await?;
    for (wave, of_wave) in waves(&objects) {
        apply_wave(step, &connection, &of_wave).await?;
        if wave == DEFINITIONS {
            wait_until_served(step, &connection, &of_wave).await?;
        }
    }
    prune(step, &connection, name, surplus).await?;
    let now = own_inventory(step, &connection, name).await?;
    write(step, &connection, &done, now.as_ref()).await
}

/// Removes the add-on `name` with everything that its inventory names.
pub(in crate::cluster) async fn remove(step: &Step<'_>, name: &str) -> Result<(), ProviderError> {
    let connection = step.connection().await?;
    let Some(found) = own_inventory(step, &connection, name).await? else {
        return Ok(());
    };
    // From here on it is no whole add-on any more, whatever happens.
    let begun = Inventory {
        digest: None,
        fencing_generation: step.context.fencing_generation,
        ..found.inventory.clone()
    };
    write(step, &connection, &begun, Some(&found)).await?;
    prune(step, &connection, name, found.inventory.objects).await?;
    let deleted = inventory::delete(&connection, name, &found.uid).await;
    step.wrote(deleted)
        .map_err(|trouble| trouble.into_error(&format!("remove the inventory of {name}")))
}

/// The add-on's inventory, if it is this cluster's and no later run has written it.
async fn own_inventory(
    step: &Step<'_>,
    connection: &Connection,
    name: &str,
) -> Result<Option<Found>, ProviderError> {
    let found = inventory::get(connection, name).await;
    let found = found.map_err(|trouble| trouble.into_error(&format!("read the inventory of {name}")))?;
    let found = match found {
        None => return Ok(None),
        Some(Err(damage)) => return Err(damaged(&damage)),
        Some(Ok(found)) => found,
    };
    if found.inventory.cluster_uid != step.uid.as_str() {
        return Err(permanent(format!(
            "add-on {name} belongs to another cluster, or to another life of this one: {}",
            found.inventory.cluster_uid
        )));
    }
    if found.inventory.fencing_generation > step.context.fencing_generation {
        let message = format!("add-on {name} was changed by a later run of keelson");
        return Err(ProviderError::new(ErrorClass::Fenced, message));
    }
    Ok(Some(found))
}

pub(super) fn damaged(damage: &str) -> ProviderError {
    permanent(damage.to_owned()).with_help(
        "restore it from a backup of etcd, or delete it: what the add-on does not contain any more is then left behind",
    )
}

async fn write(
    step: &Step<'_>,
    connection: &Arc<Connection>,
    inventory: &Inventory,
    replaces: Option<&Found>,
) -> Result<(), ProviderError> {
    if replaces.is_some_and(|found| found.inventory == *inventory) {
        return Ok(());
    }
    let version = replaces.map(|found| found.resource_version.as_str());
    let written = inventory::write(connection, inventory, version).await;
    step.wrote(written)
        .map_err(|trouble| trouble.into_error(&format!("write the inventory of {}", inventory.name)))
}

/// `objects` with the namespace that each is in: an object that names none is in `default`, if its kind has namespaces.
async fn placed(connection: &Arc<Connection>, objects: Vec<Object>) -> Result<Vec<Object>, ProviderError> {
    let defined = defined_scopes(&objects);
    let mut placed = Vec::with_capacity(objects.len());
    for object in objects {
        let id = object.id();
        let is_namespaced = match defined.get(&(id.group().to_owned(), id.kind.clone())) {
            _ if id.namespace.is_some() => true,
            Some(&is_namespaced) => is_namespaced,
            None => {
                let kind = connection.discover(&id.api_version, &id.kind).await;
                let kind = kind.map_err(|trouble| trouble.into_error(&format!("apply {id}")))?;
                kind.is_namespaced
            }
        };
        placed.push(if is_namespaced && id.namespace.is_none() {
            object.in_namespace(DEFAULT_NAMESPACE)
        } else {
            object
        });
    }
    Ok(placed)
}

async fn apply_wave(
    step: &Step<'_>,
    connection: &Arc<Connection>,
    objects: &[&Object],
) -> Result<(), ProviderError> {
    let kinds: BTreeSet<&str> = objects.iter().map(|object| object.id().kind.as_str()).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    step.tell(&format!("apply {}", kinds.join(", ")));
    let calls: Vec<BoxFuture<'_, Result<(), ProviderError>>> = objects
        .iter()
        .map(|object| Box::pin(apply_one(step, connection, object)) as BoxFuture<'_, _>)
        .collect();
    // When one fails, others may be on their way.
    step.touch();
    at_once(CONCURRENCY, calls).await.map(drop)
}

async fn apply_one(
    step: &Step<'_>,
    connection: &Arc<Connection>,
    object: &Object,
) -> Result<(), ProviderError> {
    let id = object.id();
    let patience = step.patience(NEW_KIND_LIMIT);
    let is_custom = id.group().contains('.') && !id.group().ends_with(".k8s.io");
    loop {
        let applied = connection.apply(id, object.content()).await;
        let trouble: Trouble = match step.wrote(applied) {
            Ok(()) => return Ok(()),
            Err(trouble) => trouble,
        };
        let may_come = is_custom && matches!(trouble.kind, TroubleKind::NoSuchKind | TroubleKind::NotFound);
        if !may_come || !patience.wait(NEW_KIND_POLL).await {
            return Err(trouble.into_error(&format!("apply {id}")));
        }
    }
}
